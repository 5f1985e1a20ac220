package mbuild_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mbuild.dev/mbuild/lang"
)

// codeArgument says which argument of a function is a diagnostic's code, by the function's name.
var codeArgument = map[string]int{"problem": 0, "warning": 0, "fail": 0, "Fail": 0, "wrong": 0, "Errorf": 0, "Warnf": 1, "unknown": 1, "report": 1, "libraryDiagnostic": 1, "gaveUp": 0}

// TestCodes: every code that the sources give to a diagnostic is explained, and every code that is explained is used.
func TestCodes(t *testing.T) {
	used := map[string]string{}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			for _, e := range codeExprs(n) {
				if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if s, _ := strconv.Unquote(lit.Value); s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
						used[s] = fset.Position(lit.Pos()).String()
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for code, at := range used {
		if lang.Explain(code) == "" && !reasons[code] && !notCodes[code] {
			t.Errorf("%s: code %q is not explained in lang/codes.go", at, code)
		}
	}
	for _, code := range lang.Codes() {
		if used[code] == "" {
			t.Errorf("code %q is explained and never used", code)
		}
	}
}

// reasons are the codes of planner.Reason, which share the name of the field.
var reasons = map[string]bool{"new": true, "attribute": true, "input": true, "kind_version": true, "toolchain": true, "lost": true, "forced": true, "interrupted": true, "gate": true, "output": true}

// notCodes are arguments of functions that share a name with ours and take something else.
var notCodes = map[string]bool{"apply": true, "loss": true, "path": true, "from": true, "features": true, "delimiter": true, "split": true, "template": true, "schedule": true, "select": true, "retries": true, "memory": true, "size": true, "resize": true, "alpha": true, "labels": true, "images": true, "label": true, "classes": true, "columns": true, "normalize": true, "pair": true, "second": true, "pack": true, "truncation": true, "lowercase": true, "files": true, "sha256": true, "keep": true, "stride": true, "adapter": true, "strategy": true}

func codeExprs(n ast.Node) []ast.Expr {
	switch x := n.(type) {
	case *ast.CallExpr:
		name := ""
		switch f := x.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
			if name == "add" && len(x.Args) > 2 {
				return x.Args[2:3]
			}
			if name == "Errorf" && len(x.Args) > 1 {
				return x.Args[:2]
			}
		}
		if i, ok := codeArgument[name]; ok && len(x.Args) > i {
			return x.Args[i : i+1]
		}
	case *ast.KeyValueExpr:
		if k, ok := x.Key.(*ast.Ident); ok && k.Name == "Code" {
			return []ast.Expr{x.Value}
		}
	case *ast.AssignStmt:
		var out []ast.Expr
		for i, l := range x.Lhs {
			if s, ok := l.(*ast.SelectorExpr); ok && s.Sel.Name == "Code" && i < len(x.Rhs) {
				out = append(out, x.Rhs[i])
			}
			if id, ok := l.(*ast.Ident); ok && id.Name == "code" && i < len(x.Rhs) {
				out = append(out, x.Rhs[i])
			}
		}
		return out
	}
	return nil
}

// TestErrorsPage: docs/errors.md is the table of codes.
func TestErrorsPage(t *testing.T) { golden(t, "docs/errors.md", lang.CodesMarkdown()) }

// golden compares a generated page with the file that is checked in; MBUILD_UPDATE=1 writes it.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if os.Getenv("MBUILD_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != text {
		t.Errorf("%s is stale: run MBUILD_UPDATE=1 go test . (%v)", file, err)
	}
}
