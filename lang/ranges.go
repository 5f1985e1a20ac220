package lang

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// rangeIn finds the place of a path in a body: it follows attributes into literal lists and objects, and nested blocks by
// their position among those of the same name.
//
// Of blocks among which one is dynamic, list is how many there are in all, which says how many it stands for; where it is not known, or
// several are dynamic, those behind the first dynamic one have its place.
func rangeIn(body *hclsyntax.Body, path string, onKey bool, decl hcl.Range, list int) hcl.Range {
	head, rest, deeper := strings.Cut(path, ".")
	if a := body.Attributes[head]; a != nil {
		if !deeper {
			if onKey {
				return a.NameRange
			}
			return a.Expr.Range()
		}
		return rangeInExpr(a.Expr, rest, onKey)
	}
	var blocks []*hclsyntax.Block
	for _, b := range body.Blocks {
		if b.Type == head || b.Type == "dynamic" && len(b.Labels) == 1 && b.Labels[0] == head {
			blocks = append(blocks, b)
		}
	}
	if len(blocks) == 0 {
		return decl
	}
	dynamic := func(b *hclsyntax.Block) bool { return b.Type == "dynamic" }
	if first := slices.IndexFunc(blocks, dynamic); first >= 0 {
		idx, _, _ := strings.Cut(rest, ".")
		i, err := strconv.Atoi(idx)
		after := len(blocks) - first - 1
		switch {
		case err != nil || i < 0:
			return blocks[0].DefRange()
		case i < first:
		case !slices.ContainsFunc(blocks[first+1:], dynamic) && i >= list-after && i < list:
			rest = strconv.Itoa(len(blocks)-(list-i)) + strings.TrimPrefix(rest, idx)
		default:
			return blocks[first].DefRange()
		}
	}
	b := blocks[0]
	if idx, after, _ := strings.Cut(rest, "."); deeper {
		if i, err := strconv.Atoi(idx); err == nil && i < len(blocks) {
			b, rest = blocks[i], after
		}
	}
	if rest == "" {
		if onKey {
			return b.TypeRange
		}
		return b.DefRange()
	}
	if b.Body.Attributes[rest] == nil && (rest == "type" || rest == "name" || rest == "metric" || rest == "key") && len(b.LabelRanges) > 0 {
		i := 0
		if rest == "name" {
			i = len(b.LabelRanges) - 1
		}
		return b.LabelRanges[i]
	}
	return rangeIn(b.Body, rest, onKey, b.DefRange(), 0)
}

func rangeInExpr(e hclsyntax.Expression, path string, onKey bool) hcl.Range {
	head, rest, deeper := strings.Cut(path, ".")
	switch x := e.(type) {
	case *hclsyntax.TupleConsExpr:
		if i, err := strconv.Atoi(head); err == nil && i >= 0 && i < len(x.Exprs) {
			if deeper {
				return rangeInExpr(x.Exprs[i], rest, onKey)
			}
			return x.Exprs[i].Range()
		}
	case *hclsyntax.ObjectConsExpr:
		for _, item := range x.Items {
			if hcl.ExprAsKeyword(item.KeyExpr) != head {
				if k, diags := item.KeyExpr.Value(nil); diags.HasErrors() || k.IsNull() || k.AsString() != head {
					continue
				}
			}
			switch {
			case deeper:
				return rangeInExpr(item.ValueExpr, rest, onKey)
			case onKey:
				return item.KeyExpr.Range()
			}
			return item.ValueExpr.Range()
		}
	}
	return e.Range()
}
