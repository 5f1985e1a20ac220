package lang

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func TestMeasure(t *testing.T) {
	for _, c := range []struct {
		src          string
		depth, chain int
	}{
		{"", 0, 0},
		{"a = 1\n", 0, 1},
		{"a {\n b {\n c = [1, [2]]\n }\n}\n", 4, 3},
		{"a = \"((((((\"\n# ((((\n/* (((( */\n// ((((\n", 1, 1},
		{"a = \"${f(\"${x}\")}\"\n", 5, 1},
		{"a = \"$${((((\"\n", 1, 1},
		{"a = <<EOT\n((((\n  EOT\nb = (1)\n", 1, 1},
		{"a = <<-EOT\n${ (1) }\nEOT\nb = ((1))\n", 3, 1},
		{"a = 1+1+1+1\nb = 1+1\n", 0, 4},
		{"a = [1+1, 1+1+1]\n", 1, 4},
		{"a = {for x in y : x =>\n 1 +\n 1 + \n 1}\n", 1, 6},
		{"a = x[b][c][d]\n", 1, 4},
		{"a = ]]]))) }}} ((\n", 2, 1},
		{"a = \"\\\"((((\"\n", 1, 1},
		{"%{if a}", 1, 1},
	} {
		depth, chain, _ := measure([]byte(c.src), false)
		if depth != c.depth || chain != c.chain {
			t.Errorf("%q: got depth %d, chain %d; want %d, %d", c.src, depth, chain, c.depth, c.chain)
		}
	}
}

func TestMeasureStopsAtLimits(t *testing.T) {
	depth, _, at := measure([]byte("a = "+strings.Repeat("[", 1<<20)), false)
	if depth != maxDepth+1 || at != 4+maxDepth {
		t.Errorf("depth %d at %d", depth, at)
	}
	_, chain, at := measure([]byte("a = "+strings.Repeat("!", 1<<20)), false)
	if chain != maxChain+1 || at != 3+maxChain {
		t.Errorf("chain %d at %d", chain, at)
	}
	if depth, _, _ := measure([]byte(strings.Repeat("${\"", 500)), true); depth != maxDepth+1 {
		t.Errorf("template: depth %d", depth)
	}
}

func TestMeasureJSON(t *testing.T) {
	if d, _, long := measureJSON([]byte(`{"a": ["[[[[\"[[", {}]}`)); d != 3 || long != -1 {
		t.Errorf("got %d, %d", d, long)
	}
	if _, _, long := measureJSON([]byte(`{"a": "` + strings.Repeat("!", maxJSON+1) + `"}`)); long != 6 {
		t.Errorf("long string at %d", long)
	}
}

// exact measures with the tokens of the real scanner.
func exact(src []byte) (deepest int, operators int) {
	toks, _ := hclsyntax.LexConfig(src, "x", hcl.InitialPos)
	var stack []hclsyntax.TokenType
	run := 0
	for _, t := range toks {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp,
			hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			stack = append(stack, t.Type)
			deepest = max(deepest, len(stack))
			run = 0
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd,
			hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			// The parser gives up at a bracket that closes nothing; so does this.
			if len(stack) == 0 || !closes(stack[len(stack)-1], t.Type) {
				return deepest, operators
			}
			stack = stack[:len(stack)-1]
			run = 0
		case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenPlus, hclsyntax.TokenStar, hclsyntax.TokenQuestion:
			run++
			operators = max(operators, run)
		case hclsyntax.TokenInvalid, hclsyntax.TokenBadUTF8:
			return deepest, operators
		case hclsyntax.TokenNewline, hclsyntax.TokenComma:
			run = 0
		case hclsyntax.TokenComment:
			if t.Bytes[len(t.Bytes)-1] == '\n' {
				run = 0 // the line's end is part of the comment
			}
		}
	}
	return deepest, operators
}

func closes(open, end hclsyntax.TokenType) bool {
	switch open {
	case hclsyntax.TokenOBrace:
		return end == hclsyntax.TokenCBrace
	case hclsyntax.TokenOBrack:
		return end == hclsyntax.TokenCBrack
	case hclsyntax.TokenOParen:
		return end == hclsyntax.TokenCParen
	case hclsyntax.TokenOQuote:
		return end == hclsyntax.TokenCQuote
	case hclsyntax.TokenOHeredoc:
		return end == hclsyntax.TokenCHeredoc
	}
	return end == hclsyntax.TokenTemplateSeqEnd
}

// FuzzGuard: the guard never sees less nesting, nor fewer operators in a row, than the scanner that the parser uses.
func FuzzGuard(f *testing.F) {
	for _, s := range []string{"a = [1]\n", "a = \"${b[\"c\"]}\"\n", "a = <<EOT\n${x}\n  EOT\n(", "/* ( */ # [\n// {\n", "a=\"$${\\\"\"",
		"a = <<-E\n%{if x}\n%{endif}\nE\n", "x {\n y = {for a in b : a => !!!c}\n}\n", "a = \"%%{ ${\"~}\"}\"", "<<A\n$A\nA\n[[", "a=1 /*", "\"$", "\"\r\n\"{"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		src := []byte(s)
		depth, chain, _ := measure(src, false)
		if d, ops := exact(src); depth < min(d, maxDepth+1) || depth <= maxDepth && chain < min(ops, maxChain+1) {
			t.Errorf("%q: guard says %d and %d, the scanner %d and %d", s, depth, chain, d, ops)
		}
	})
}

func BenchmarkGuard(b *testing.B) {
	src := []byte(strings.Repeat("train \"supervised\" \"t\" {\n  lr = 0.1 # rate\n  data = dataset.csv.d.data\n}\n", 10_000))
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		measure(src, false)
	}
}
