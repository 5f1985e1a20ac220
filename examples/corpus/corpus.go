// Package corpus makes the texts of the examples: names in sentences (NER), requests of customers and answers to them (Intents), and
// headlines (Headlines). Everything is made of the word lists and sentences that stand here, by a generator of numbers that stands
// here too, so the files are the same on every machine for ever; a test holds the files of the examples against it. What is for testing is
// made of other sentences, and of other names, than what is for training.
package corpus

import "strings"

// random is SplitMix64 (Steele, Lea and Flood 2014).
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// n is a number from 0 up to below k.
func (r *random) n(k int) int { return int(r.next() % uint64(k)) }

// of is one of a list.
func (r *random) of(list []string) string { return list[r.n(len(list))] }

// shuffle puts a list in another order.
func shuffle[T any](r *random, list []T) {
	for i := len(list) - 1; i > 0; i-- {
		k := r.n(i + 1)
		list[i], list[k] = list[k], list[i]
	}
}

// parts is a list written as one text: its elements stand between bars.
func parts(s string) []string {
	list := strings.Split(s, "|")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}
