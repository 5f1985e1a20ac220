package lang

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// sensitive marks values that came from a sensitive variable; whatever is made of them is marked too.
type sensitive struct{}

// isSensitive reports that a value or something in it is sensitive.
func isSensitive(v cty.Value) bool {
	if !v.ContainsMarked() {
		return false
	}
	_, marks := v.UnmarkDeep()
	_, ok := marks[sensitive{}]
	return ok
}

// maxText bounds one string that an expression makes: texts that grow from local to local would else fill the memory.
const maxText = 16 << 20

// outgrown reports a string beyond maxText.
func outgrown(v cty.Value, rng hcl.Range) *hcl.Diagnostic {
	if v.Type() != cty.String {
		return nil
	}
	if u, _ := v.Unmark(); u.IsKnown() && !u.IsNull() && len(u.AsString()) > maxText {
		return problem("too-large", rng, "String too long", "This makes a string of %d bytes; at most %d are allowed.", len(u.AsString()), maxText)
	}
	return nil
}
