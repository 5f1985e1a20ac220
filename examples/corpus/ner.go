package corpus

import (
	"fmt"
	"strings"
)

// gazetteer is the names that documents are about, and whether others are made up beside them.
type gazetteer struct {
	first, last, places, cores []string
	invent                     bool
}

// Surnames that are places too (Jordan, Lincoln, Paris), and companies named after people and places, are in both: a tagger must look
// at what stands around them.
var (
	trainNames = gazetteer{
		invent: true,
		first: strings.Fields(`Anna Peter Maria Thomas Julia David Laura Michael Sarah Robert Elena Daniel Nina Paul Sophie Martin Alice
			Frank Clara Victor Irene Simon Grace Oliver Helen Hugo Emma Leo Ruth Marcus Jane Karl Lucy Andrew Rosa Philip Edith Samuel Vera George`),
		last: strings.Fields(`Miller Fischer Rossi Novak Larsen Keller Moreau Silva Weber Hansen Kovacs Brown Lopez Meyer Dubois Petrov Clark
			Jensen Ricci Hughes Becker Santos Wright Olsen Duran Carter Vogel Lambert Foster Sousa Lincoln Jordan Paris Houston Wells Bristol`),
		places: strings.Fields(`Berlin Madrid Vienna Oslo Lisbon Toronto Chicago Dublin Prague Athens Hamburg Sydney Geneva Lyon Boston Seville
			Kenya Poland Chile Norway Texas Bavaria Bristol Lincoln Jordan Paris Houston Wells Naples Denver Peru Ghana`),
		cores: strings.Fields(`Novatec Brightwater Helix Orbis Stonegate Lumina Acorn Vantage Corvex Northwind Altura Ferrum Keystone Solara Medira
			Quantos Bluepeak Tramonto Redwood Evenor`),
	}
	testNames = gazetteer{
		first: strings.Fields(`Ingrid Charles Monica Stefan Teresa Edward Camille Gregor Naomi Walter Bianca Ralph Yvonne Adrian Judith`),
		last: strings.Fields(`Schneider Bernard Kowalski Lindgren Conti Barnes Herrera Novotny Fraser Marchand Steiner Almeida Dawson Florence
			Austin Chester`),
		places: strings.Fields(`Munich Warsaw Bergen Porto Calgary Leeds Zurich Valencia Uganda Finland Nevada Florence Austin Chester Genoa Brno`),
		cores:  strings.Fields(`Paragon Clearbrook Zenith Castellan Ironbridge Aurora Veridian Maplewood Octavia Sentinel`),
	}
	choiceNames = gazetteer{
		first: strings.Fields(`Astrid Bruno Carla Dennis Esther Felix Gloria Henrik Ivan Joanna Kevin Lydia Mario Olga Roland`),
		last: strings.Fields(`Wagner Lefevre Nowak Bergman Romano Cooper Castillo Horvat Douglas Girard Huber Pereira Nolan Verona Dallas
			Lancaster`),
		places: strings.Fields(`Cologne Krakow Malmo Coimbra Ottawa Bradford Basel Granada Zambia Iceland Oregon Verona Dallas Lancaster Turin Ostrava`),
		cores:  strings.Fields(`Pinnacle Silverlake Meridian Fortuna Oakbridge Borealis Lexandra Thornfield Cadence Guardian`),
	}
)

// companies are what organisations are called: C is a core, L a surname, P a place.
var companies = parts(`C | C Inc | C Ltd | C Group | C Systems | C Bank | L & Sons | L Motors | University of P | P Airlines | P City Council | Bank of P |
	C Foundation | P United`)

// Sentences: P1 and P2 are people by their whole names, L1 and L2 by their surnames, T1 and T2 places, O1 and O2 organisations; D is a
// day, M a month, N a number.
var (
	trainSentences = parts(`P1 , the chief executive of O1 , said on D that sales in T1 had doubled . |
		O1 will open an office in T1 next M . |
		L1 joined O1 in M after N years at O2 . |
		The court in T1 heard P1 and P2 on D . |
		Shares of O1 fell N percent after the report . |
		P1 was born in T1 and studied at O1 . |
		" We are not leaving T1 , " said L1 . |
		O1 and O2 agreed to merge on D , according to P1 . |
		Flights from T1 to T2 were cancelled on D . |
		The minister met P1 in T1 to talk about the strike at O1 . |
		Police in T1 are looking for a man who attacked P2 . |
		In T1 , N workers of O1 stopped work on D . |
		P1 wrote a book about the history of T1 . |
		Neither L1 nor L2 wanted to comment . |
		O1 , which is based in T1 , employs N people . |
		The new bridge between T1 and T2 opens in M . |
		L1 thanked the staff of O1 for their patience . |
		A spokesman for O1 said that P2 had resigned . |
		Heavy rain hit T1 on D , and N houses lost power . |
		P1 scored twice when the team won in T1 . |
		Analysts expect O1 to sell its plant in T1 . |
		The museum in T1 shows paintings by P1 until M . |
		Last M , L2 moved from T1 to T2 . |
		O1 has sued O2 over a patent . |
		Prices in T1 rose by N percent in M . |
		President L1 will travel to T2 on D . |
		The film by P2 was shot in T1 . |
		Customers of O1 waited for N hours . |
		Nobody at O2 could be reached on D . |
		It was the second time in N years that L1 had lost . |
		The mayor of T1 resigned on D . |
		O1 reported a profit of N million in M . |
		Engineers from T1 visited O2 on D . |
		P1 lives near T2 with her family . |
		Trains to T1 were late , said a spokesman for O1 . |
		Residents of T2 met L1 on D . |
		According to P1 , prices will rise in M . |
		" It was cold in T1 , " P2 said . |
		O2 bought N trucks from O1 in M . |
		Doctor L2 will leave O1 in M . |
		The board of O2 met in T1 on D . |
		Visitors from T2 liked the film , L1 wrote . |
		L1 and L2 worked at O1 for N years . |
		P2 left the house on D and was not seen again . |
		He played for O1 before he moved to T2 . |
		She told O2 that P1 had called from T1 . |
		There was no answer from O1 . |
		The price of land near T1 has doubled , O2 said on D . |
		Smoke from T1 reached T2 in M . |
		Lawyers for P1 said that O1 owed him N million . |
		L1 was the first to arrive on D . |
		Only P1 knew the answer . |
		The house of P1 in T1 was sold for N million . |
		O1 hired P1 and P2 in M . |
		Nurse L2 found the letter . |
		P1 told the court that L2 had lied . |
		P2 will lead the team from D . |
		Friends of L1 spoke of N happy years . |
		On D P1 will speak in T1 . |
		T1 has N schools . |
		The letter was signed by P2 , L1 said .`)
	testSentences = parts(`P1 left O1 on D to lead O2 . |
		Engineers at O1 in T1 have found N faults , said P1 . |
		The mayor of T1 , P2 , opened the market in M . |
		O1 reported a loss of N million on D . |
		L1 lives in T1 with N cats . |
		Trains between T1 and T2 ran late after the storm . |
		Residents of T1 blame O1 for the smell . |
		According to L2 , O1 had paid the fine in M . |
		" I grew up in T2 , " P1 told reporters on D . |
		O2 bought the land near T1 for N million . |
		Doctor P2 treated N patients in T1 . |
		The board of O1 dismissed L1 in M . |
		Visitors to T2 spent N percent less . |
		L1 and P2 will speak at O2 next M .`)
	choiceSentences = parts(`P1 has run O1 for N years . |
		Work on the harbour of T1 was stopped by O1 on D . |
		The teacher of P2 came from T1 . |
		L1 said that T2 had become too expensive . |
		Nobody in T1 remembers P1 . |
		In M , O1 closed N of its shops in T1 . |
		Two lawyers , P1 and L2 , wrote to O2 . |
		The road from T1 to T2 is N miles long . |
		O2 lost its licence after P2 complained . |
		P1 arrives on D and will stay in T1 until M . |
		A fire near T2 killed N cows , O1 reported . |
		" I have never worked for O1 , " L2 answered . |
		When O2 left T1 , N families left with it . |
		The prize went to L1 , who was born in T2 .`)
	days   = strings.Fields("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
	months = strings.Fields("January March April June July September October December")
)

// NER is names in sentences in CoNLL's columns, tagged in IOB2 as PER, LOC and ORG, a document of six sentences about the same people,
// places and organisations. Of choice.conll, too, no sentence and no name is in another file: settings are chosen on it, so that test.conll is
// left for what comes of them.
func NER() map[string]string {
	r, choice := random(1), random(2)
	return map[string]string{
		"data/train.conll":  conll(&r, 320, &trainNames, trainSentences),
		"data/test.conll":   conll(&r, 60, &testNames, testSentences),
		"data/choice.conll": conll(&choice, 60, &choiceNames, choiceSentences),
	}
}

// Syllables of names that nobody has: with them a tagger learns what a name looks like and where it stands, not which there are.
var (
	onsets = strings.Fields("Al An Ar Ed El Em Er Ing In Ir Is Ob Oc Ol Or Os Un Ul Ur Y Z Q X B Br C Ch D Dr F Fl G Gr H J K Kr L M N P Pr R S Sh St T Tr V W Wh")
	nuclei = strings.Fields("a e i o u ai ea ie ou")
	middle = strings.Fields("l r n m rr ll nd st rt b d g k v s t ck ng lm rn")
	ends   = map[string][]string{
		"first": strings.Fields("a o e ie us an el in ia on id es ph or ette ard is y"),
		"last":  strings.Fields("er son sen ez ini ov ski ard elli man well berg ic ter in a es ley ton"),
		"place": strings.Fields("burg ton ville ia stad mouth ford ova land ham grad port ich er aw ence is ds a o"),
		"core":  strings.Fields("ex is on us tec ra dyne ix cor ium stone brook bridge a ian on"),
	}
)

// name is one of a list, or for five of six in training one that is made up.
func (g *gazetteer) name(r *random, kind string) string {
	list := map[string][]string{"first": g.first, "last": g.last, "place": g.places, "core": g.cores}[kind]
	if !g.invent || r.n(6) == 0 {
		return r.of(list)
	}
	s := r.of(onsets) + r.of(nuclei) + r.of(middle)
	if r.n(3) == 0 {
		s += r.of(nuclei) + r.of(middle)
	}
	return s + r.of(ends[kind])
}

func conll(r *random, documents int, names *gazetteer, sentences []string) string {
	var b strings.Builder
	seen := map[string]bool{}
	for range documents {
		b.WriteString("-DOCSTART- O\n\n")
		cast := map[string]string{}
		for _, i := range []string{"1", "2"} {
			last := names.name(r, "last")
			cast["L"+i], cast["P"+i] = last, names.name(r, "first")+" "+last
			cast["T"+i] = names.name(r, "place")
			var name []string
			for _, w := range strings.Fields(r.of(companies)) {
				switch w {
				case "C":
					w = names.name(r, "core")
				case "L":
					w = names.name(r, "last")
				case "P":
					w = names.name(r, "place")
				}
				name = append(name, w)
			}
			cast["O"+i] = strings.Join(name, " ")
		}
		for n := 0; n < 6; {
			s := tagged(r, r.of(sentences), cast)
			if seen[s] {
				continue
			}
			seen[s] = true
			b.WriteString(s + "\n")
			n++
		}
	}
	return b.String()
}

// types are the types of entities by the first letter of their places in a sentence.
var types = map[byte]string{'P': "PER", 'L': "PER", 'T': "LOC", 'O': "ORG"}

func tagged(r *random, sentence string, cast map[string]string) string {
	var b strings.Builder
	for _, w := range strings.Fields(sentence) {
		switch name, ok := cast[w]; {
		case ok:
			tag := "B-"
			for _, x := range strings.Fields(name) {
				fmt.Fprintf(&b, "%s %s%s\n", x, tag, types[w[0]])
				tag = "I-"
			}
			continue
		case w == "D":
			w = r.of(days)
		case w == "M":
			w = r.of(months)
		case w == "N":
			w = fmt.Sprint(2 + r.n(90))
		}
		b.WriteString(w + " O\n")
	}
	return b.String()
}
