package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mbuild.dev/mbuild/cmd/mbuild/internal/cli"
)

// judge validates specs in HCL's JSON syntax against a schema: good ones must pass, each bad one must not.
const judge = `
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
v = Draft202012Validator(schema)
good = {
  "//": "a comment",
  "mbuild": {"backend": "go"},
  "variable": {"epochs": {"type": "number", "default": 3}},
  "dataset": {"csv": {"d": {"files": ["a.csv"], "split": {"train": 0.8, "test": "${var.x}"}}}},
  "model": {"layers": {"m": {"input": {"x": {"shape": [4]}}, "layer": [{"dense": {"a": {"units": 3}}}, {"dropout": {"b": {"rate": 0.5}}}]}}},
  "train": {"supervised": {"t": {"graph": "${model.layers.m.graph}", "data": "${dataset.csv.d.data}", "loss": "mse", "epochs": "${var.epochs}", "optimizer": {"sgd": {"lr": 0.1}}, "for_each": ["a"]}}},
  "eval": {"regression": {"e": {"from": "${train.supervised.t.model}", "data": "${dataset.csv.d.data}", "gate": {"r2": {"min": 0.5}}}}},
  "output": {"o": {"value": 1}},
}
errors = [e.message for e in v.iter_errors(good)]
assert not errors, errors
def bad(path, value):
    spec = json.loads(json.dumps(good))
    at = spec
    for k in path[:-1]:
        at = at[k]
    at[path[-1]] = value
    assert not v.is_valid(spec), (path, value)
t = ["train", "supervised", "t"]
bad(t + ["epochs"], 0)
bad(t + ["epochs"], "many")
bad(t + ["epocs"], 3)
bad(t + ["loss"], "l2")
bad(["train", "supervised", "t"], {"data": "${dataset.csv.d.data}", "epochs": 1, "optimizer": {"sgd": {}}})
bad(["dataset", "csv", "d"], {"label": "y"})
bad(t + ["optimizer"], {"adamx": {}})
bad(t + ["optimizer"], {"sgd": {"rate": 1}})
bad(["dataset", "csv", "d", "split"], {"train": 2})
bad(["dataset", "csw"], {})
bad(["trian"], {})
bad(["model", "layers", "m", "layer"], [{"dens": {"a": {}}}])
bad(["mbuild", "version"], "1")
print("ok")
`

// TestRefereeSchema: what mbuild schema prints is a JSON Schema, takes specs, and refuses mistakes, in the eyes of jsonschema.
func TestRefereeSchema(t *testing.T) {
	python := os.Getenv("MBUILD_REFEREE_PYTHON")
	if python == "" {
		t.Skip("MBUILD_REFEREE_PYTHON is not set: .ci/run does")
	}
	var out, errs bytes.Buffer
	if code := cli.Main([]string{"schema"}, nil, &out, &errs); code != 0 {
		t.Fatal(errs.String())
	}
	file := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := exec.Command(python, "-c", judge, file).CombinedOutput()
	if err != nil || string(got) != "ok\n" {
		t.Fatalf("%v\n%s", err, got)
	}
}
