package executor

import "fmt"

// State is where an action is in its life.
type State int

// The states, with what must hold to be in one.
const (
	Waiting State = iota // some dependency is not Done
	Ready                // every dependency is Done and every gate has passed
	Probing              // the key is known; the store is asked, or another action with the same key is awaited
	Running              // it has the slots it needs
	Cached               // the store had the result
	Built                // it ran, and the result is recorded
	Failed               // it ran and failed; nothing is recorded
	Skipped              // it did not run, because something before it failed, a gate is shut, or the apply was stopped
)

var stateNames = [...]string{"waiting", "ready", "probing", "running", "cached", "built", "failed", "skipped"}

func (s State) String() string { return stateNames[s] }

// legal lists the moves. A rewind (Running to Waiting, Cached or Built to Ready) happens when bytes that a consumer needs
// turn out to be gone: the consumer waits again and the producer runs again.
var legal = map[State][]State{
	Waiting: {Ready, Skipped},
	Ready:   {Probing, Cached, Running, Skipped},
	Probing: {Cached, Running, Ready, Failed, Skipped},
	Running: {Built, Cached, Failed, Skipped, Waiting},
	Cached:  {Ready},
	Built:   {Ready},
}

// Terminal reports that nothing but a rewind leaves the state.
func (s State) Terminal() bool { return s >= Cached }

// Done reports that dependents may use the outputs.
func (s State) Done() bool { return s == Cached || s == Built }

// move changes a node's state and panics on a move that is not in the table.
func (n *node) move(to State) {
	for _, ok := range legal[n.state] {
		if ok == to {
			n.state = to
			return
		}
	}
	panic(fmt.Sprintf("executor: %s may not go from %s to %s", n.step.Addr, n.state, to))
}
