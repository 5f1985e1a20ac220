package cuefile

import "cuelang.org/go/cue/format"

// Format returns the canonical layout of a file.
func Format(name string, src []byte) ([]byte, []Problem) {
	f, problems := Parse(name, src)
	if f == nil {
		return nil, problems
	}
	out, err := format.Source(src)
	if err != nil {
		return nil, []Problem{{Code: "syntax", Range: f.point(0), Summary: "Invalid CUE", Detail: sentence(err.Error())}}
	}
	return out, nil
}
