package project

import (
	"encoding/json"

	"mbuild.dev/mbuild/cache/vfs"
)

// notesFile holds what plans have made of source files, as JSON: a list of notes, the newest at the end.
const notesFile = "notes"

// maxNotes is how many are kept.
const maxNotes = 32

type note struct {
	Key  string `json:"key"`
	Data []byte `json:"data"`
}

// Note implements planner.Notes.
func (p *Project) Note(key string) ([]byte, bool) {
	for _, n := range p.notes() {
		if n.Key == key {
			return n.Data, true
		}
	}
	return nil, false
}

// KeepNote implements planner.Notes. One that cannot be kept is made again.
func (p *Project) KeepNote(key string, data []byte) {
	all := append(p.notes(), note{key, data})
	all = all[max(len(all)-maxNotes, 0):]
	if text, err := json.Marshal(all); err == nil {
		_ = p.write(notesFile, text)
	}
}

// notes are those that can be read; a damaged file has none.
func (p *Project) notes() (all []note) {
	text, err := vfs.ReadFile(p.fs, p.Path(notesFile))
	if err != nil || json.Unmarshal(text, &all) != nil {
		return nil
	}
	return all
}
