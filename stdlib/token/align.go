package token

// Alignment says which tokens of a word take the word's label.
type Alignment string

// The alignments.
const (
	First Alignment = "first" // the first of them; the others have none
	All   Alignment = "all"
)

// Align gives the labels of words to their tokens: words says of each token which word it is of, -1 for none, and labels has a label for
// each word. Tokens that take none get the label none. A label of a word that is none of labels is none, too.
func Align(words, labels []int32, how Alignment, none int32) []int32 {
	out := make([]int32, len(words))
	last := int32(-1)
	for i, w := range words {
		out[i] = none
		if w >= 0 && int(w) < len(labels) && (how == All || w != last) {
			out[i] = labels[w]
		}
		last = w
	}
	return out
}
