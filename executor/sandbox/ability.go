package sandbox

import (
	"os"
	"sync"
)

// Ability is a promise of the sandbox and whether this machine can keep it.
type Ability struct {
	Name string `json:"name"` // stable: "files", "writes", "network", …
	What string `json:"what"` // the promise, in a sentence
	On   bool   `json:"on"`
	Why  string `json:"why,omitempty"` // why it is off
}

// promises are all abilities, in the order in which they are shown, with the weakest mode that keeps each. Of the guarded mode,
// which has parts that a kernel may lack, needs says which part.
var promises = []struct {
	name, what string
	weakest    Mode
	needs      string // "landlock", "seccomp"
}{
	{"environment", "commands see the environment of their block and nothing else", Bare, ""},
	{"outputs", "what a command leaves beside its outputs is an error, and so is a changed input", Bare, ""},
	{"time", "a command that runs too long is killed", Bare, ""},
	{"leftovers", "no process of a command outlives it", Guarded, ""},
	{"memory", "the memory of a command is limited where its block says so", Guarded, ""},
	{"processes", "the number of a command's processes is limited by the kernel", Private, ""},
	{"network", "commands reach no network, not even this machine's own services", Guarded, "seccomp"},
	{"writes", "commands write nowhere but in their own directories", Guarded, "landlock"},
	{"reads", "commands read their declared inputs and the system's programs, and nothing else", Guarded, "landlock"},
	{"root", "commands have a root directory of their own, the same on every machine", Private, ""},
	{"processes-hidden", "commands neither see nor reach processes outside", Private, ""},
	{"privileges", "commands have no capabilities, and set-user-ID programs give them none", Guarded, ""},
}

func abilitiesOf(m Mode, why string) []Ability {
	out := make([]Ability, 0, len(promises))
	for _, p := range promises {
		a := Ability{Name: p.name, What: p.what, On: m <= p.weakest}
		if a.On && m == Guarded && p.needs != "" {
			if missing := lacks(p.needs); missing != "" {
				a.On, a.Why = false, missing
			}
		}
		if !a.On && a.Why == "" {
			a.Why = why
		}
		out = append(out, a)
	}
	return out
}

// WorkerAbilities is what holds for workers: they are mbuild's own program, and need no root of their own.
func WorkerAbilities() []Ability {
	var out []Ability
	for _, p := range []struct{ name, what, needs string }{
		{"worker-network", "workers reach no network", "seccomp"},
		{"worker-writes", "workers write nowhere but in the store's scratch directory", "landlock"},
		{"worker-reads", "workers read their inputs, the program and the system's libraries, and nothing else", "landlock"},
	} {
		why := lacks(p.needs)
		out = append(out, Ability{Name: p.name, What: p.what, On: why == "", Why: why})
	}
	return out
}

// Abilities tries out what this machine can do: it starts a sandbox and ends it again, which takes some 20 ms the first time.
// The executable must call Main when its first argument is Arg.
func Abilities() []Ability { return append(probe(), WorkerAbilities()...) }

var probe = sync.OnceValue(func() []Ability {
	dir, err := os.MkdirTemp("", "mbuild-probe-")
	if err != nil {
		return abilitiesOf(Bare, err.Error())
	}
	defer os.RemoveAll(dir)
	p := NewPool(Config{Scratch: dir})
	defer p.Close()
	s, err := p.acquire(Limits{Processes: DefaultProcesses}, false)
	if err != nil {
		return abilitiesOf(Bare, err.Error())
	}
	p.release(s)
	return abilitiesOf(p.mode, joinWhy(p.why))
})
