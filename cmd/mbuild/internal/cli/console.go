package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/value"
)

func (a *app) consoleCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "console",
		Short: "Evaluate expressions of the spec",
		Long: "console reads expressions, one a line, and prints their values: variables, locals, attributes of blocks, functions. In a CUE\n" +
			"spec they are CUE expressions. Use it by hand, or in a pipe: mbuild console <<< 'var.epochs * 2'. An empty line, exit or\n" +
			"end of file ends it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.request()
			if err != nil {
				return err
			}
			c, diags := lang.NewConsole(cmd.Context(), r)
			if diags.HasErrors() {
				a.view().Diagnostics(diags, nil)
				return errReported
			}
			prompt := ""
			if f, ok := a.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
				prompt = "> "
			}
			return a.repl(cmd.Context(), c, prompt)
		},
	}
}

// repl reads and evaluates until the input ends. In a pipe a mistake makes the exit code 1; at a terminal one goes on.
func (a *app) repl(ctx context.Context, c *lang.Console, prompt string) error {
	in := bufio.NewScanner(a.stdin)
	in.Buffer(nil, 1<<20)
	failed := false
	for fmt.Fprint(a.stdout, prompt); in.Scan(); fmt.Fprint(a.stdout, prompt) {
		line := strings.TrimSpace(in.Text())
		if line == "exit" || line == "" && prompt != "" {
			break
		}
		if line == "" {
			continue
		}
		v, diags := c.Eval(ctx, line)
		if diags.HasErrors() {
			failed = true
			a.view().Diagnostics(diags, c.Spec().Files)
			continue
		}
		if err := a.printValue(v); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("reading expressions: %w", err)
	}
	if failed && prompt == "" {
		return errReported
	}
	return nil
}

func (a *app) printValue(v any) error {
	enc, err := value.Canonical(lang.Shown(v))
	if err != nil {
		return err
	}
	var indented any
	if a.json || json.Unmarshal(enc, &indented) != nil {
		_, err = fmt.Fprintf(a.stdout, "%s\n", enc)
		return err
	}
	var out strings.Builder
	if err := jsonIndent(&out, enc); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, out.String())
	return err
}

// jsonIndent lays JSON out over lines, short values on one.
func jsonIndent(b *strings.Builder, enc []byte) error {
	if len(enc) <= 100 {
		b.Write(enc)
		return nil
	}
	raw := json.RawMessage(enc)
	text, err := json.MarshalIndent(raw, "", "  ")
	b.Write(text)
	return err
}
