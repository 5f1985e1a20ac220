package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/lang"
)

func (a *app) fmtCmd() *cobra.Command {
	var check, showDiff, recursive bool
	cmd := &cobra.Command{
		Use:   "fmt [FILE|DIR]...",
		Short: "Lay out spec files the standard way",
		Long: "fmt rewrites spec files (HCL and CUE) and *.mbvars of the directory in the standard layout and prints their names. It moves\n" +
			"white space only: keys stay what they are. A file that does not parse is left alone.",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{a.dir}
			}
			var files []string
			for _, arg := range args {
				list, err := formatted(arg, recursive)
				if err != nil {
					return err
				}
				files = append(files, list...)
			}
			changed := 0
			for _, f := range files {
				was, err := a.formatFile(f, check, showDiff)
				if err != nil {
					return err
				}
				if was {
					changed++
				}
			}
			if check && changed > 0 {
				a.code = exitError
				return errReported
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "change nothing; exit with 1 when a file would change")
	cmd.Flags().BoolVar(&showDiff, "diff", false, "print what changes")
	cmd.Flags().BoolVar(&recursive, "recursive", false, "directories below, too")
	return cmd
}

// formatted lists the files that fmt looks after: the argument itself, or those in it.
func formatted(arg string, recursive bool) ([]string, error) {
	info, err := os.Stat(arg)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{arg}, nil
	}
	var files []string
	err = filepath.WalkDir(arg, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != arg && (!recursive || strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.Type().IsRegular() && lang.IsFormatted(d.Name()):
			files = append(files, p)
		}
		return nil
	})
	return files, err
}

// formatFile formats one file and reports whether that changes it. The new text takes the file's place in one step.
func (a *app) formatFile(file string, check, showDiff bool) (changed bool, err error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	out, diags := lang.Format(file, src)
	if diags.HasErrors() {
		a.view().Diagnostics(diags, map[string]*hcl.File{file: {Bytes: src}})
		return false, errReported
	}
	if bytes.Equal(src, out) {
		return false, nil
	}
	fmt.Fprintln(a.stdout, file)
	if showDiff {
		_, err = a.stdout.Write(diff.Diff(file, src, file+" (formatted)", out))
	}
	if check || err != nil {
		return true, err
	}
	return true, replaceFile(file, out)
}

// replaceFile writes a file beside another and renames it over it.
func replaceFile(file string, content []byte) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".mbuild-fmt-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(content); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Chmod(info.Mode().Perm()); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}
