package metric

import "math"

// Language is the measures of a language model. The zero value has seen nothing; Add adds a token, Bytes the length of a text.
type Language struct {
	Tokens int     // predicted
	Bytes  int64   // of the texts that they are of, in UTF-8
	NLL    float64 // sum of -ln p(token)
	Hits   int     // tokens that were the most likely; of equals the first counts
}

// Add adds a prediction: logits by token id, and the id that is right.
func (l *Language) Add(logits []float32, right int) {
	nll, best := Surprise(logits, right)
	l.Seen(nll, best == right)
}

// Seen adds a prediction by what Surprise says of it.
func (l *Language) Seen(nll float64, hit bool) {
	l.Tokens++
	l.NLL += nll
	if hit {
		l.Hits++
	}
}

// Surprise is -ln p of the right token under softmax(logits), and the token that is the most likely; of equals the first.
func Surprise(logits []float32, right int) (nll float64, best int) {
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - float64(logits[best]))
	}
	return math.Log(sum) - (float64(logits[right]) - float64(logits[best])), best
}

// Loss is the mean of -ln p over the tokens, in nats; NaN when there are none.
func (l *Language) Loss() float64 { return l.NLL / float64(l.Tokens) }

// Perplexity is e to the loss: the number of tokens between which the model is undecided, as it were.
func (l *Language) Perplexity() float64 { return math.Exp(l.Loss()) }

// BitsPerByte is the loss in bits, over the bytes of the texts: models with different vocabularies compare by it. Not finite when there are no
// bytes.
func (l *Language) BitsPerByte() float64 { return l.NLL / math.Ln2 / float64(l.Bytes) }

// Accuracy is the share of tokens that were the most likely.
func (l *Language) Accuracy() float64 { return float64(l.Hits) / float64(l.Tokens) }
