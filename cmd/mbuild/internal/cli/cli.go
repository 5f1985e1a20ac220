// Package cli is the command line of mbuild: one file a command. It puts the layers together (lang, planner, executor) and
// leaves what is printed to package view and what machines read to package contract.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mbuild.dev/mbuild/cache/vfs"
	"mbuild.dev/mbuild/cmd/mbuild/internal/view"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/sandbox"
	"mbuild.dev/mbuild/executor/worker"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner/runs"
	"mbuild.dev/mbuild/stdlib"
)

// Version of mbuild.
const Version = "0.1.0"

// The exit codes.
const (
	exitOK              = 0
	exitError           = 1
	exitChanges         = 2
	exitGateFailed      = 3
	exitInconclusive    = 4
	exitNotReproducible = 5
	exitStale           = 7
	exitInterrupted     = 8
)

// app is what the commands share: streams and global flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	kinds          *executor.Table
	fs             vfs.FS // of the store and of .mbuild

	dir      string
	json     bool
	noColor  bool
	verbose  bool
	quiet    bool
	vars     []string
	varFiles []string
	backend  string
	args     []string  // as they were given, for the record
	command  string    // which runs, as it is called
	began    time.Time // when the process began
	phases   []runs.Phase
	env      func(string) (string, bool) // in place of the environment, where a plan file has it

	code int // exit code of a command that ended without error
}

// silent is an error whose diagnostics have been printed.
var errReported = errors.New("reported")

// Main runs mbuild and returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	if len(args) == 1 && args[0] == sandbox.Arg {
		return sandbox.Main(stdin, stdout)
	}
	began := time.Now()
	kinds := executor.NewTable(stdlib.Kinds()...)
	if len(args) == 1 && args[0] == worker.Arg {
		os.Stdout = os.Stderr // standard output is the protocol; what anything prints goes to the log
		return worker.Serve(kinds, stdin, stdout)
	}
	if len(args) == 1 && args[0] == worker.ProbeArg {
		os.Stdout = os.Stderr
		return worker.ServeProbe(stdout)
	}
	if os.Getenv("GOGC") == "" {
		// A command lives for a moment and allocates what it needs: collect rarely, and as usual once there is much.
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(1 << 30)
	}
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(stderr, "Error: mbuild failed by its own fault: %v\n%s", p, debug.Stack())
			code = exitError
		}
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, kinds: kinds, fs: vfs.OS, args: args, began: began}
	return a.execute(ctx)
}

// execute runs the command that the arguments name, and returns the exit code.
func (a *app) execute(ctx context.Context) int {
	root := a.root()
	root.SetArgs(a.normalise(root, append(envArgs(a.args), a.args...)))
	if err := root.ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errReported) {
			a.printError(err)
		}
		if a.code == exitOK {
			a.code = exitError
		}
	}
	return a.code
}

func (a *app) printError(err error) {
	if a.json {
		fmt.Fprintf(a.stderr, "{\"error\":%q}\n", err.Error())
		return
	}
	fmt.Fprintf(a.stderr, "Error: %v\n", err)
}

// envArgs are the flags that the environment adds: to all commands, and to one.
func envArgs(args []string) []string { return strings.Fields(os.Getenv("MBUILD_CLI_ARGS")) }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "mbuild",
		Short:         "A declarative build system for models",
		Long:          "mbuild builds what the spec files of a directory describe: data, architecture, training, passes, evaluation gates and\ntargets. plan says what would run and why; apply runs what is missing, and nothing twice.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) { a.command = cmd.CommandPath() }
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	f := root.PersistentFlags()
	f.StringVarP(&a.dir, "chdir", "C", ".", "directory of the spec")
	f.BoolVar(&a.json, "json", false, "write JSON for machines to standard output")
	f.BoolVar(&a.noColor, "no-color", false, "print without colour")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "print cached blocks too")
	f.BoolVar(&a.quiet, "quiet", false, "print results and errors only")
	f.StringArrayVar(&a.vars, "var", nil, "`name=value` of a variable; may be repeated")
	f.StringArrayVar(&a.varFiles, "var-file", nil, "`file` with values of variables; may be repeated")
	f.StringVar(&a.backend, "backend", "", "compute backend (default: MBUILD_BACKEND, then the spec's, then go)")
	root.AddCommand(a.validateCmd(), a.planCmd(), a.applyCmd(), a.showCmd(), a.outputCmd(), a.whyCmd(), a.versionCmd(), a.kindsCmd(),
		a.fmtCmd(), a.initCmd(), a.schemaCmd(), a.consoleCmd(), a.graphCmd(), a.explainCmd(), a.verifyCmd(), a.logCmd(), a.doctorCmd(), a.driftCmd(), a.cacheCmd(), a.backendCmd(), a.lockCmd())
	root.InitDefaultCompletionCmd()
	tellUse(root)
	return root
}

// tellUse lets commands answer a wrong number of arguments, or a word that is none of their commands, with how they are called.
func tellUse(c *cobra.Command) {
	check := c.Args
	switch {
	case check == nil && c.HasSubCommands() && c.HasParent():
		c.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			var names []string
			for _, sub := range cmd.Commands() {
				names = append(names, sub.Name())
			}
			return fmt.Errorf("%s has no command %q; it has %s", cmd.CommandPath(), args[0], schema.Words(names))
		}
	case check != nil:
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return fmt.Errorf("%w; it is called: %s", err, cmd.UseLine())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		tellUse(sub)
	}
}

// normalise lets -flag stand for --flag, as Terraform does.
func (a *app) normalise(root *cobra.Command, args []string) []string {
	long := map[string]bool{"help": true}
	collect := func(fs *pflag.FlagSet) { fs.VisitAll(func(f *pflag.Flag) { long[f.Name] = true }) }
	collect(root.PersistentFlags())
	var all func(*cobra.Command)
	all = func(c *cobra.Command) {
		collect(c.Flags())
		for _, sub := range c.Commands() {
			all(sub)
		}
	}
	all(root)
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		if arg == "--" {
			copy(out[i:], args[i:])
			break
		}
		if len(arg) > 2 && arg[0] == '-' && arg[1] != '-' {
			if name, _, _ := strings.Cut(arg[1:], "="); long[name] {
				out[i] = "-" + arg
			}
		}
	}
	return out
}

// view returns the printer for people.
func (a *app) view() *view.View {
	return view.New(a.stdout, a.stderr, view.Options{NoColor: a.noColor, Verbose: a.verbose, Quiet: a.quiet})
}
