// Package sandbox keeps what an action runs to what the action declares.
//
// A Root is the private directory of an action that runs in a worker: inputs, outputs, a place to work. A Command is a foreign
// program (`step exec`), of which nothing is known; a Pool runs it with as many walls around it as the machine can put up:
//
//	private   namespaces: a root of its own with the declared inputs, the system's programs and nothing else, read-only; no
//	          network, no other processes, no capabilities (private_linux.go)
//	guarded   where the kernel gives no namespaces: Landlock keeps it from files, seccomp from sockets (guard_linux.go)
//	bare      elsewhere: a directory of its own and a cleared environment (bare.go)
//
// Abilities says which promises hold on this machine and which do not.
//
// Commands do not pay for the walls one by one: a Slot is a process that has put them up around itself once and runs one command
// after the other behind them. Between two commands it kills whatever is left and empties the directories; a slot that cannot
// do so is thrown away.
//
// The package knows paths and programs and nothing of actions, kinds or stores.
//
// The invariant: when Run returns, no process of the command lives, and nothing it wrote exists but the outputs it declared.
package sandbox
