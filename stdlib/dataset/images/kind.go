// Package images is the kind `dataset images`: pictures in files of their own.
//
// Files are parsed in groups, an action a group. A group is the files whose path has the same first bits in its SHA-256; there are
// as many bits as keep groups at 256 files on average. So a new file parses its own group again and no other, which groups by
// position would not do (a file put in front moves all), nor a group for each directory (a class of 50,000). Where the number of
// files passes a power of two, each group falls into two.
//
// It does not know PNG and JPEG, which are Go's. What comes out is a function of the files' bytes and the parameters; a release
// of Go that decodes otherwise must raise the kind's version (TestPixels holds digests).
package images

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"path"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
)

// perGroup is how many files a group has on average, at most.
const perGroup = 256

// Kind is dataset.images.
var Kind = func() *executor.Kind {
	k := shard.Kind(planner.Kind{Type: "images", Version: 1, Schema: Schema}, read, lowerBlock)
	k.Runs["join"] = executor.Run{Func: join}
	return k
}()

// parts are the attributes with files, by split.
var parts = []string{"files", "valid_files", "test_files"}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	shard.CheckSplit(l, map[string]string{"valid": "valid_files", "test": "test_files"})
	size, _ := l.Attr("size").([]any)
	if size != nil && len(size) != 2 {
		l.Errorf("size", "bad-size", "Size is not height and width", "size has %d numbers; it takes two, the height and the width.", len(size))
	}
	if size == nil && l.Attr("resize") != "none" {
		l.Errorf("resize", "missing-attribute", "Missing attribute", "To resize images, size must say to what: size = [height, width].")
	}
	readParams, joinParams := shard.Params(l, "files", "valid_files", "test_files", "labels", "path_column", "label_column")
	s := shard.Spec{Read: readParams, Join: joinParams}
	t := &table{byName: l.Attr("labels") == nil}
	for split, attr := range parts {
		t.add(l, &s, split, attr)
	}
	if l.Diagnostics().HasErrors() {
		return l.Diagnostics()
	}
	t.params(l, &s)
	shard.Lower(l, s)
	return l.Diagnostics()
}

// table collects what the join is told of each image: by group, in the order of the group's rows.
type table struct {
	byName  bool // the class is the name of the directory
	files   int
	paths   []any // of lists of paths
	classes []any // of lists of names of classes
	sources []any // of lists of positions
}

// add makes sources of the files of an attribute.
func (t *table) add(l *planner.Lowering, s *shard.Spec, split int, attr string) {
	files, _ := l.Attr(attr).([]any)
	type image struct {
		path, at string
		source   int
	}
	if len(files) == 0 {
		return
	}
	bitsOf := uint(bits.Len(uint((len(files)+perGroup-1)/perGroup - 1)))
	groups := make([][]image, 1<<bitsOf)
	for i, f := range files {
		p := path.Clean(f.(string))
		h := sha256.Sum256([]byte(p))
		g := binary.BigEndian.Uint64(h[:8]) >> (64 - bitsOf)
		groups[g] = append(groups[g], image{p, attr + "." + strconv.Itoa(i), t.files})
		t.files++
		if t.byName && path.Dir(p) == "." {
			l.Errorf(attr+"."+strconv.Itoa(i), "no-class", "Image without a class", "%s is in no directory whose name could be its class. Put it into one, or give labels.", p)
		}
	}
	for _, g := range groups {
		if len(g) == 0 {
			continue
		}
		slices.SortFunc(g, func(a, b image) int { return slices.Compare([]byte(a.path), []byte(b.path)) })
		src := shard.Source{Split: split, Params: map[string]any{"files": int64(len(g))}}
		var paths, classes, sources []any
		for i, f := range g {
			src.Inputs = append(src.Inputs, l.File("file"+strconv.Itoa(i), f.path, f.at))
			paths, classes, sources = append(paths, f.path), append(classes, path.Base(path.Dir(f.path))), append(sources, int64(f.source))
		}
		s.Sources = append(s.Sources, src)
		t.paths, t.classes, t.sources = append(t.paths, paths), append(t.classes, classes), append(t.sources, sources)
	}
}

// params tells the join.
func (t *table) params(l *planner.Lowering, s *shard.Spec) {
	s.Join["sources"] = t.sources
	if t.byName {
		s.Join["labels"] = t.classes
		return
	}
	file, _ := l.Attr("labels").(string)
	s.Join["paths"], s.Join["directory"] = t.paths, path.Dir(path.Clean(file))
	s.Join["path_column"], s.Join["label_column"] = l.Attr("path_column"), l.Attr("label_column")
	s.Tables = append(s.Tables, l.File("labels", file, "labels"))
}
