package value

import (
	"bufio"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestVectors reads testdata/vectors/canonical.txt: lines of `outcome<TAB>input<TAB>canonical`, outcome being ok or error.
func TestVectors(t *testing.T) {
	f, err := os.Open("../../testdata/vectors/canonical.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := sc.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		n++
		part := strings.Split(line, "\t")
		v, err := Decode([]byte(part[1]))
		var got []byte
		if err == nil {
			got, err = Canonical(v)
		}
		switch part[0] {
		case "ok":
			if err != nil || string(got) != part[2] {
				t.Errorf("%s: got %s, %v; want %s", part[1], got, err, part[2])
			}
		case "error":
			if err == nil {
				t.Errorf("%s: got %s, want an error", part[1], got)
			}
		default:
			t.Errorf("unknown outcome %q", part[0])
		}
	}
	if n < 40 {
		t.Errorf("only %d vectors read", n)
	}
}

func TestOneNumber(t *testing.T) {
	for _, v := range []any{1, int64(1), uint64(1), 1.0, float32(1)} {
		if n, err := Norm(v); err != nil || n != int64(1) {
			t.Errorf("Norm(%T) = %v %T, %v", v, n, n, err)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"b":1,"a":[null,true,1e21,-0.5]}`, `"\u20ac\n"`, `{"$ref":"a.b.c.d","type":"model"}`, `18446744073709551615`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := Decode(in)
		if err != nil {
			return
		}
		enc, err := Canonical(v)
		if err != nil {
			t.Fatalf("%s decodes and has no canonical form: %v", in, err)
		}
		again, err := Decode(enc)
		if err != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("%s: %#v became %#v (%v)", enc, v, again, err)
		}
		if enc2, _ := Canonical(again); string(enc) != string(enc2) {
			t.Fatalf("%s is no fixed point: %s", enc, enc2)
		}
	})
}
