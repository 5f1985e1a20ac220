package lang

import (
	"fmt"
	"slices"
	"strings"
)

// codes explains every code that a diagnostic of any layer may carry: what it means, and how one gets rid of it.
// docs/errors.md is this table; a test holds the codes in the sources against it.
var codes = map[string]string{
	// Files and syntax.
	"unreadable":     "A directory or file of the spec cannot be read. The text says why; permissions and dangling links are the usual causes. A symbolic link must stay inside the directory of its module.",
	"no-spec":        "The directory holds no file *.mbuild.hcl, *.mbuild.hcl.json or *.mbuild.cue. Name another with -C DIR, or begin a spec with `mbuild init`.",
	"mixed":          "The files of one module are all HCL or all CUE, and those in CUE are of one package. Put the others into a directory of their own and call it with a module block; modules of both syntaxes call each other freely.",
	"syntax":         "The text is not well formed. The place is where the parser noticed; the mistake may stand a little before it, such as a bracket or quote that was never closed.",
	"not-utf8":       "Spec files are UTF-8 text. Save the file in that encoding.",
	"too-large":      "A file, or a string that an expression makes, is larger than specs may hold. Data belongs into files of its own, which datasets read.",
	"too-deep":       "Brackets nest, or operators chain, far beyond what people write. The limits keep a damaged or hostile file from exhausting the program.",
	"endless":        "The evaluation of the spec was given up: it took too long, or too much memory. Look at the place for a loop over very many elements, values that double from step to step, or a definition that expands without end.",
	"internal":       "mbuild failed by its own fault. Please report it, with the spec if you can.",
	"interrupted":    "The command was interrupted before the spec was evaluated. Nothing has changed.",
	"unknown-import": "A CUE file imports a package that is not there. A spec may import CUE's own packages, and \"mbuild.dev/std/schema\" with a definition for each kind.",

	// Blocks and attributes.
	"unknown-block":       "There is no block of this name: not at this place, or, in a reference, not in this module. References are family.type.name.",
	"unknown-type":        "There is no type of this name in the family. `mbuild kinds` lists the types, docs/kinds.md describes them.",
	"unknown-block-type":  "This version of mbuild knows the block's schema and not how to build it.",
	"unknown-attribute":   "The block has no attribute of this name. docs/kinds.md lists the attributes of each kind.",
	"renamed":             "The attribute had this name in an earlier version of the kind's schema. Its meaning is the same: rename it.",
	"missing-attribute":   "A required attribute is not there.",
	"block-for-attribute": "A nested block stands where an attribute is meant: write name = value, with an equals sign.",
	"wrong-labels":        "Blocks have a fixed number of labels: family \"type\" \"name\" { … } for artifacts, variable \"name\" { … } and so on.",
	"bad-name":            "Names are made of letters, digits, - and _, and begin with a letter, for they are parts of addresses.",
	"duplicate":           "Something that may be there once is there twice. Names are unique in a module, across all of its files.",
	"conflict":            "Two things are given that exclude each other. The text says which; remove one.",
	"too-few":             "A list, or a repeated block, has fewer elements than the kind needs.",
	"too-many":            "for_each or count asks for more instances than a block may have. Split the work, or check the value: it is rarely meant.",
	"bad-dynamic":         "A dynamic block is written: dynamic \"NAME\" { for_each = …, labels = [ … ], content { … } }.",
	"unsupported":         "This is part of the design and not of this version. The text says what to do instead.",
	"bad-lock":            "mbuild.lock.hcl is not written as mbuild writes it. Take it from the repository's history, or remove the part that is named and let `mbuild backend pin` (plugins) or `mbuild lock` (checkpoints) write it again.",

	// Values.
	"wrong-type":       "The value is of another type than the attribute takes. The text says what was found and what is needed.",
	"wrong-reference":  "The reference leads to an output of another kind than the attribute takes: a dataset where a model is needed, for example.",
	"not-allowed":      "The attribute takes one of a few values, and this is none of them.",
	"out-of-range":     "The number is outside of the range that the attribute allows.",
	"bad-pattern":      "The string does not have the form that the attribute needs.",
	"bad-value":        "The value cannot stand in a spec: a number beyond the range of a float64, text that is not UTF-8, or something that is only known later.",
	"incomplete-value": "In CUE, this is a constraint (int, >0, \"a\" | \"b\") and not yet one value. Give it a value or a default (*).",
	"expression":       "The expression cannot be evaluated. The text comes from the language (HCL or CUE) and names the operation and its operands.",
	"unknown-function": "There is no function of this name. docs/language.md lists them.",
	"no-instance":      "each.key and each.value exist in blocks with for_each, count.index in blocks with count.",
	"sensitive":        "A value that comes from a sensitive variable stands where it would be seen: in a key, an address, the store, or a file. Sensitive values go where a kind keeps them to itself, such as the environment of step \"exec\"; keys then hold a salted digest.",
	"bad-condition":    "The condition of a validation or check must be true or false. A validation sees its own variable only.",
	"check":            "The condition of a check block is false. Its message says what was expected.",
	"disabled":         "The block that is referred to has enabled = false, so it has no outputs. Choose between references with a condition, or disable this block with it.",

	// Names and references.
	"unknown-name":     "An expression begins with a name that does not exist. Text goes into quotes; values begin with var, local, module, each, count, path, or the family of a block.",
	"unknown-variable": "The module declares no variable of this name.",
	"unknown-local":    "The module declares no local of this name.",
	"unknown-module":   "The module calls no module of this name.",
	"unknown-input":    "The module that is called declares no variable of this name.",
	"unknown-output":   "The block or module has no output or attribute of this name.",
	"incomplete":       "A reference stops too early: blocks are family.type.name.output, modules module.name.output.",
	"cycle":            "Something needs its own value. The text lists the steps with their places: one of them must not refer to the next.",

	// Variables.
	"no-value":    "A variable without a default was given no value. Give one with -var, -var-file, MBUILD_VAR_name or a *.auto.mbvars file; in a module, as an attribute of the module block.",
	"validation":  "The value of a variable fails a validation of its declaration.",
	"bad-type":    "The type of a variable is one of string, number, bool, any, list(T), set(T), map(T), tuple([T…]) and object({name = T, …}) with optional(T, default).",
	"not-literal": "A literal is needed here: defaults, values in variables files and sources of modules refer to nothing, for they are read before anything is evaluated.",

	// Modules.
	"bad-source":   "A module's source is a directory, beginning with ./ or ../, or a module of mbuild: \"std/mlp\".",
	"no-module":    "There is no module at the source.",
	"module-cycle": "A module contains itself, directly or through others, or modules nest too deeply.",
	"integrity":    "The files of a module, a checkpoint or a tokenizer are not those whose digest is pinned: in the module block, or in mbuild.lock.hcl. Either they were damaged or replaced, and the right ones must be put back; or the change is meant. Look at what changed before you pin the new digest, with `mbuild lock` for what the lock file has.",
	"unpinned":     "Under -lockfile=readonly every file of a checkpoint or a tokenizer that others made must be in mbuild.lock.hcl already. Run apply or `mbuild lock` where the right files are, and check the lock file in.",

	"bad-version": "required_version is a constraint on versions: \">= 0.1, < 1.0\", \"~> 0.1\", \"0.1.0\".",
	"version":     "The spec needs another version of mbuild than this one.",

	// Warnings.
	"unused":          "Something is declared that nothing uses. It is legal, and most often a leftover or a misspelled reference.",
	"horizon":         "The schedule of the learning rate depends on the number of epochs, so every epoch does: with another number, training begins anew. With constant, step, exponential or wsd, or with a horizon of its own (epochs in the schedule), more epochs go on from the last.",
	"empty-split":     "A part of the split is so small that it has fewer rows than there are classes: metrics on it say nothing.",
	"idle-gate":       "No target lists this report under gates: the gates are evaluated and reported, and a failure ends apply with exit code 3, but they keep nothing from being written. Gates of a report that is an output, a monitor, are not warned of.",
	"runtime-support": "The model that is exported holds something that common runtimes of the format do not execute natively. The text says which.",

	// Sources and data.
	"missing-file":     "A file that the spec names is not there. Paths are relative to the directory of the spec.",
	"unreadable-file":  "A file that the spec names cannot be read.",
	"source-changed":   "A source file changed while apply was running. Nothing that was built from it is kept; run apply again.",
	"empty-file":       "A data file has no rows.",
	"bad-gzip":         "A file that is packed with gzip is damaged or cut off.",
	"bad-idx":          "The file is not an array in idx format, is cut off, has a header that cannot be, or does not fit the file beside it. The text says which.",
	"bad-image":        "An image is damaged, cut off, animated, too large, neither PNG nor JPEG, or transparent where that has no meaning. The text names the file.",
	"image-size":       "An image has another size than the rest, or than size says. resize says how images are brought to one size.",
	"bad-size":         "The size of an image is a list of two numbers, height and width.",
	"no-class":         "Nothing says which class an image has: it is in no directory, or in no line of the table of labels.",
	"unknown-image":    "The table of labels names an image that is not among the files.",
	"duplicate-row":    "Something that a table may list once is there twice.",
	"bad-npz":          "The archive or an array in it is damaged, cut off, of a type that is no number or text, or does not fit the array beside it. The text says which.",
	"bad-parquet":      "The Parquet file is damaged, cut off, encrypted, or of another format.",
	"bad-column":       "A column has a type that cannot be what it is asked to be: nested, a list, a date, or text where numbers are needed.",
	"bad-json":         "A line is not one JSON object. The text has the line and the column.",
	"not-text":         "A value is a number, a list or an object where text is expected.",
	"long-line":        "A line, paragraph or sentence is longer than any text is: most often the file is of another format, or lacks empty lines.",
	"bad-tokenizer":    "A file of a tokenizer is damaged, of another format, asks for something that mbuild does not know, or does not fit the file beside it. The text says which.",
	"empty-text":       "A text is empty, or holds nothing that becomes a token, and the dataset is told to refuse such rows.",
	"long-text":        "A text has more tokens than a row may have, and the dataset is told not to cut it, or not where it is too long.",
	"bad-tag":          "A tag is none of the scheme that the dataset says, or cannot follow the one before it.",
	"files-disagree":   "Files of one dataset have rows of different shapes, columns or labels.",
	"unknown-class":    "A row has a class that the dataset's classes do not list.",
	"leak":             "Rows of one split have the same inputs as rows of another, so that what is measured there was seen before. leaks says what is done about it.",
	"bad-csv":          "The file is not well-formed CSV (RFC 4180), most often because of a quote inside a cell.",
	"ragged-row":       "A row has more or fewer cells than the rows before it.",
	"no-header":        "The dataset says that there is a header line, and the first line is all numbers. Set header = false.",
	"header":           "The dataset says that there is no header line, and the first line looks like one. Remove header = false.",
	"duplicate-column": "Two columns have one name.",
	"wrong-names":      "names must have as many names as the file has columns.",
	"no-features":      "Beside the label there is no column left to learn from.",
	"unknown-column":   "The file has no such column.",
	"missing-value":    "A cell is empty. Remove the row, or fill in a value.",
	"not-a-number":     "A cell of a numeric column holds text.",
	"not-finite":       "A cell holds NaN or an infinity.",
	"one-class":        "The label is the same in every row: there is nothing to learn.",
	"too-many-classes": "The label has so many values that it is rather a number or a name than a class.",
	"bad-template":     "A template is Go's text/template: {{ .values.NAME }}, {{ .inputs.NAME }}. The text says where it is wrong.",
	"bad-delimiter":    "The delimiter of a CSV file is one character.",
	"bad-split":        "The fractions of a split sum to 1.",

	// Models, training, targets.
	"bad-graph":         "The layers do not fit together. The text names the layer, what it needs and what it gets.",
	"bad-model":         "The files of a model are not what mbuild reads: config.json or weights are missing, contradict each other, or are of a kind that it does not know. The text names the tensor or the key.",
	"misfit":            "Two things do not fit: a model and its data, a loss and the model's output, a pass and the model. The text gives both sides.",
	"out-of-memory":     "The device that computes, or this machine, has less memory than the action takes. Use a smaller batch, or accumulate gradients over several batches; fewer actions at a time (-j 1) leave more to each.",
	"backend":           "The compute backend that is asked for cannot be used: this build has none of the kind, its plugin is not installed, is not the one that mbuild.lock.hcl pins, or is damaged. `mbuild backend list` shows what there is; docs/backends.md explains.",
	"diverged":          "The loss became NaN or infinite. The epoch is not kept. A smaller learning rate, clip_norm, or standardized features are the usual cures.",
	"overflow":          "float16 overflowed in 100 steps in a row. The epoch is not kept. bfloat16 has the range of float32; inputs and weights of about 1 keep float16 in its range.",
	"unknown-metric":    "The report has no metric of this name. METRIC_drop and METRIC_rise compare with a baseline.",
	"bad-path":          "A path is empty, names a directory, or leads where mbuild keeps its own files.",
	"outside-project":   "Targets are written inside the directory of the spec only.",
	"foreign-file":      "A file lies where an artifact is to be, and mbuild did not write it. It is not overwritten: move it away, give the artifact another path, or say so with `mbuild apply -force`. What is built is in the store; nothing is rebuilt.",
	"artifact":          "The artifact could not be written to its path. What is built is in the store: fix the path and run apply again; nothing is rebuilt.",
	"action-failed":     "An action failed. The text is what it reported, with the end of its log; `mbuild apply -v` prints all of it.",
	"timeout":           "An action ran longer than its block's timeout, or its kind's, and was stopped. Give the block a longer timeout if it needs one: that builds nothing again.",
	"not-transient":     "A block has retries, and its kind gives the same result, or the same failure, whenever it runs. Only kinds whose failures may pass take retries.",
	"command-not-found": "There is no program of this name in the command's PATH, /usr/local/bin:/usr/bin:/bin. Programs of the project are seen when they are declared under inputs.",
	"command-failed":    "A command ended with an exit status other than 0, or by a signal. The end of its log says more. Commands see their declared inputs and the system's programs, no network and no other file: docs/sandbox.md.",
	"process-limit":     "A command had more processes and threads at a time than it may. A loop that starts processes is the usual cause.",
	"memory-limit":      "A command used more memory than its block's attribute memory allows, all its processes and the files it keeps in memory together, and was stopped.",
	"bad-memory":        "An amount of memory is a whole number of MB (1,000,000 bytes) or GB: \"512MB\".",
	"undeclared-output": "A command left a file in its directory that is not listed under outputs. Only what is declared is kept, so the file would be lost: list it, or let the command write it to $TMPDIR.",
	"input-changed":     "A command changed or removed one of its inputs. Inputs are read-only; a file that is to be changed in place is listed under outputs, too.",
	"weak-sandbox":      "This machine, or the container mbuild runs in, does not allow all that the sandbox of commands needs. Commands run all the same; the text lists what is not promised. docs/sandbox.md says what to switch on.",
	"missing-output":    "An action ended well and did not leave an output that it declares.",
	"store":             "The store cannot be written: it is full, read-only, or gone. What was finished before is kept.",
}

// Explain returns the explanation of a code, or "".
func Explain(code string) string { return codes[code] }

// Codes lists all codes, sorted.
func Codes() []string { return keys(codes) }

// NearestCodes lists codes that contain a text, for whoever remembers half of one.
func NearestCodes(text string) []string {
	var out []string
	for _, c := range Codes() {
		if strings.Contains(c, text) || strings.Contains(text, c) {
			out = append(out, c)
		}
	}
	return slices.Compact(out)
}

// CodesMarkdown is docs/errors.md.
func CodesMarkdown() string {
	var b strings.Builder
	b.WriteString("# Codes of errors and warnings\n\nEvery diagnostic carries a code; `mbuild explain CODE` prints the paragraph that stands here. This page is generated from `lang/codes.go`.\n\n")
	for _, c := range Codes() {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", c, codes[c])
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
