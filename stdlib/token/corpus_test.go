package token

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// corpus is so many lines of text as it comes and as it should not: words of several scripts, composed and decomposed accents, Chinese, Korean,
// emoji with modifiers, control and format characters, spaces of all kinds, punctuation, numbers, long words, special tokens. A function of
// its arguments.
func corpus(lines int, seed uint64) []string {
	rng := rand.New(rand.NewPCG(seed, 7))
	pick := func(s []string) string { return s[rng.IntN(len(s))] }
	syllables := strings.Fields("ba ken tor il ment ation ing er the an re con ver sta pro ly ness un dis graph tele micro sen ti den ka mu ra zo quick fox jump")
	var words []string
	for range 2000 {
		w := ""
		for range 1 + rng.IntN(4) {
			w += pick(syllables)
		}
		words = append(words, w)
	}
	accents := strings.Fields("café naïve Zürich Ångström résumé coöperate Dvořák Žižek São façade İstanbul ISTANBUL ﬁne ½ Straße ΣΊΣΥΦΟΣ Ελλάδα Привет мир שָׁלוֹם مَرْحَبًا नमस्ते ไทย tiếng Việt e\u0301cole A\u030a n\u0303o o\u0308\u0323 \u1e0b\u0323 \u0344 ﷺ Ⅷ ㎏ ① ｈａｌｆ ｶﾞ")
	han := []string{"北京欢迎你", "我爱自然语言处理。", "東京", "漢字かな交じり文", "한국어", "각", "가\u11a8", "\u1100\u1161\u11a8", "𠀀𪜶", "豈", "ｱｲｳ", "。", "，", "《书》"}
	emoji := []string{"😀", "👩\u200d👩\u200d👧", "👍🏽", "🇩🇪", "❤\ufe0f", "🥰", "🫠", "©", "™"}
	control := []string{"\x00", "\x01", "\x07", "\x1b[0m", "\x7f", "\u0085", "\u00ad", "\u200b", "\u200d", "\u200e", "\u2028", "\ufeff", "\ufffd", "\ue000", "\u00a0", "\u3000", "\u2003", "\t", "  ", "   ", "\u180e", "\U000e0001", "\u0600", "\v", "\f", "\r"}
	punct := []string{".", ",", "!", "?", "...", "—", "“", "”", "'s", "don't", "can't", "we'll", "I'm", "they've", "$5.00", "50%", "#tag", "@user", "a_b", "x-y", "(z)", "[a]", "¿", "·", "'", "`", "^", "~", "|", "<b>", "&amp;", "+", "=", "€", "№"}
	numbers := []string{"1", "42", "2024", "3.14", "1,000,000", "12:30", "²", "٣", "०", "v1.2.3", "1e-5", "0x1F"}
	special := []string{"[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "<s>", "</s>", "<mask>", "<unk>", "<pad>", "[cls]", "[MASK", "<|endoftext|>"}
	var out []string
	for i := range lines {
		var b strings.Builder
		for range 1 + rng.IntN(14) {
			switch k := rng.IntN(100); {
			case k < 55:
				w := words[int(float64(len(words))*rng.Float64()*rng.Float64())]
				switch rng.IntN(6) {
				case 0:
					w = strings.ToUpper(w[:1]) + w[1:]
				case 1:
					w = strings.ToUpper(w)
				}
				b.WriteString(w)
			case k < 65:
				b.WriteString(pick(accents))
			case k < 73:
				b.WriteString(pick(han))
			case k < 78:
				b.WriteString(pick(emoji))
			case k < 82:
				b.WriteString(pick(control))
			case k < 90:
				b.WriteString(pick(punct))
			case k < 94:
				b.WriteString(pick(numbers))
			case k < 97:
				b.WriteString(pick(special))
			case k < 98:
				b.WriteString(strings.Repeat(pick(words), 1+rng.IntN(40)))
			default: // any characters at all
				for range 1 + rng.IntN(5) {
					if r := rune(rng.IntN(0x30000)); r < 0xd800 || r > 0xdfff {
						b.WriteRune(r)
					}
				}
			}
			if rng.IntN(8) > 0 {
				b.WriteByte(' ')
			}
		}
		s := strings.ReplaceAll(b.String(), "\n", " ")
		if i%500 == 0 {
			s = ""
		}
		if i%500 == 1 {
			s = fmt.Sprintf(" %s ", s)
		}
		out = append(out, s)
	}
	return out
}
