package pretrained

// A family is a kind of model: a body of blocks, and the names that transformers has for its parts.
type family struct {
	keys       map[string]string // the keys of config.json for the fields of Config
	epsilon    float64           // where config.json does not say it
	activation string            // the same
	types, pad int               // the same
	offset     bool              // positions begin behind that of padding
	decoder    bool              // the norm in front, and causal
	pooling    string            // what is between the first or last position and a classifier: the activation of a dense layer, or "" for none
	early      bool              // there is dropout before that, too

	prefix  string   // of the body's names where a head stands on it
	body    []name   // "#" in them is the number of a block
	pooler  []name   // a dense layer with tanh over the first position
	heads   []head   // that transformers knows
	ignored []string // names of what is not a parameter, "#" as above
}

// name says which tensor is which parameter. turned: it lies the other way round, [out, in]. part: it is one of three equal parts of
// the tensor's last axis, from 1; else 0. fields are those of Config that its shape follows from.
type name struct {
	tensor, layer, param string
	turned               bool
	part                 int
	fields               []string
}

// head is a row of the heads of a family.
type head struct {
	architecture string // what transformers calls the model
	kind         string // of Kinds
	pooled       bool   // over the pooler
	names        []name
}

// linear makes the rows of a dense layer or a norm, which has tensors "weight" and "bias".
func linear(tensor, layer string, fields ...string) []name {
	return []name{{tensor + ".weight", layer, "weight", true, 0, fields}, {tensor + ".bias", layer, "bias", false, 0, fields}}
}

func norm(tensor, layer string) []name {
	return []name{{tensor + ".weight", layer, "gamma", false, 0, []string{"Units"}}, {tensor + ".bias", layer, "beta", false, 0, []string{"Units"}}}
}

func rows(tensor, layer string, fields ...string) []name {
	return []name{{tensor, layer, "weight", false, 0, append(fields, "Units")}}
}

// third is a third of a weight that lies as in the graph, [in, 3 out], and of its bias.
func third(tensor, layer string, part int) []name {
	return []name{{tensor + ".weight", layer, "weight", false, part, []string{"Units"}}, {tensor + ".bias", layer, "bias", false, part, []string{"Units"}}}
}

// straight is a dense layer whose weight lies as in the graph.
func straight(tensor, layer string, fields ...string) []name {
	n := linear(tensor, layer, fields...)
	n[0].turned = false
	return n
}

func join(parts ...[]name) []name {
	var all []name
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// families is the table by model_type.
var families = map[string]*family{
	"bert": bert, "distilbert": distilbert, "roberta": roberta, "xlm-roberta": roberta, "camembert": roberta, "gpt2": gpt2,
}

// tied are the other names of what a language model has in common with the embedding, and of its bias: they may be there, and must
// be equal.
var tied = map[string]string{
	"cls.predictions.decoder.weight": "tokens/weight", "cls.predictions.decoder.bias": "predictions/bias",
	"lm_head.decoder.weight": "tokens/weight", "lm_head.decoder.bias": "predictions/bias",
	"vocab_projector.weight": "tokens/weight", "lm_head.weight": "tokens/weight",
}

// block are the rows of a block of BERT and RoBERTa.
func bertBlock() []name {
	const in, at, out = "encoder.layer.#.", "encoder.layer.#.attention.", "layer#_"
	return join(
		linear(at+"self.query", out+"query", "Units"), linear(at+"self.key", out+"key", "Units"), linear(at+"self.value", out+"value", "Units"),
		linear(at+"output.dense", out+"output", "Units"), norm(at+"output.LayerNorm", out+"attention_norm"),
		linear(in+"intermediate.dense", out+"inner", "Units", "Inner"), linear(in+"output.dense", out+"outer", "Units", "Inner"), norm(in+"output.LayerNorm", out+"norm"))
}

func bertEmbeddings() []name {
	return join(rows("embeddings.word_embeddings.weight", "tokens", "Vocabulary"), rows("embeddings.position_embeddings.weight", "positions", "Positions"),
		rows("embeddings.token_type_embeddings.weight", "types", "Types"), norm("embeddings.LayerNorm", "embeddings_norm"))
}

var bertKeys = map[string]string{"Vocabulary": "vocab_size", "Units": "hidden_size", "Layers": "num_hidden_layers", "Heads": "num_attention_heads", "Inner": "intermediate_size",
	"Positions": "max_position_embeddings", "Types": "type_vocab_size", "Activation": "hidden_act", "Epsilon": "layer_norm_eps", "Dropout": "hidden_dropout_prob"}

var bertPredictions = join(linear("cls.predictions.transform.dense", "transform", "Units"), norm("cls.predictions.transform.LayerNorm", "transform_norm"),
	[]name{{"cls.predictions.bias", "predictions", "bias", false, 0, []string{"Vocabulary"}}})

var bert = &family{
	keys: bertKeys, epsilon: 1e-12, activation: "gelu", types: 2, pooling: "tanh",
	prefix: "bert.", body: join(bertEmbeddings(), bertBlock()), pooler: linear("pooler.dense", "pooler", "Units"),
	heads: []head{
		{"BertModel", "hidden", true, nil},
		{"BertForSequenceClassification", "classification", true, linear("classifier", "classifier", "Labels", "Units")},
		{"BertForTokenClassification", "tagging", false, linear("classifier", "classifier", "Labels", "Units")},
		{"BertForMaskedLM", "language_model", false, bertPredictions}, {"BertForPreTraining", "language_model", false, bertPredictions},
	},
	ignored: []string{"embeddings.position_ids", "cls.seq_relationship.weight", "cls.seq_relationship.bias"},
}

var roberta = &family{
	keys: bertKeys, epsilon: 1e-5, activation: "gelu", types: 1, pad: 1, offset: true, pooling: "tanh", early: true,
	prefix: "roberta.", body: join(bertEmbeddings(), bertBlock()), pooler: linear("pooler.dense", "pooler", "Units"),
	heads: []head{
		{"RobertaModel", "hidden", true, nil},
		{"RobertaForSequenceClassification", "classification", false, join(linear("classifier.dense", "pooler", "Units"), linear("classifier.out_proj", "classifier", "Labels", "Units"))},
		{"RobertaForTokenClassification", "tagging", false, linear("classifier", "classifier", "Labels", "Units")},
		{"RobertaForMaskedLM", "language_model", false, join(linear("lm_head.dense", "transform", "Units"), norm("lm_head.layer_norm", "transform_norm"),
			[]name{{"lm_head.bias", "predictions", "bias", false, 0, []string{"Vocabulary"}}})},
	},
	ignored: []string{"embeddings.position_ids"},
}

var distilbert = func() *family {
	const in, out = "transformer.layer.#.", "layer#_"
	return &family{
		keys: map[string]string{"Vocabulary": "vocab_size", "Units": "dim", "Layers": "n_layers", "Heads": "n_heads", "Inner": "hidden_dim", "Positions": "max_position_embeddings",
			"Activation": "activation", "Dropout": "dropout"},
		epsilon: 1e-12, activation: "gelu", prefix: "distilbert.", pooling: "relu",
		body: join(rows("embeddings.word_embeddings.weight", "tokens", "Vocabulary"), rows("embeddings.position_embeddings.weight", "positions", "Positions"), norm("embeddings.LayerNorm", "embeddings_norm"),
			linear(in+"attention.q_lin", out+"query", "Units"), linear(in+"attention.k_lin", out+"key", "Units"), linear(in+"attention.v_lin", out+"value", "Units"),
			linear(in+"attention.out_lin", out+"output", "Units"), norm(in+"sa_layer_norm", out+"attention_norm"),
			linear(in+"ffn.lin1", out+"inner", "Units", "Inner"), linear(in+"ffn.lin2", out+"outer", "Units", "Inner"), norm(in+"output_layer_norm", out+"norm")),
		heads: []head{
			{"DistilBertModel", "hidden", false, nil},
			{"DistilBertForSequenceClassification", "classification", false, join(linear("pre_classifier", "pooler", "Units"), linear("classifier", "classifier", "Labels", "Units"))},
			{"DistilBertForTokenClassification", "tagging", false, linear("classifier", "classifier", "Labels", "Units")},
			{"DistilBertForMaskedLM", "language_model", false, join(linear("vocab_transform", "transform", "Units"), norm("vocab_layer_norm", "transform_norm"),
				[]name{{"vocab_projector.bias", "predictions", "bias", false, 0, []string{"Vocabulary"}}})},
		},
		ignored: []string{"embeddings.position_ids"},
	}
}()

var gpt2 = func() *family {
	const in, out = "h.#.", "layer#_"
	return &family{
		keys: map[string]string{"Vocabulary": "vocab_size", "Units": "n_embd", "Layers": "n_layer", "Heads": "n_head", "Inner": "n_inner", "Positions": "n_positions",
			"Activation": "activation_function", "Epsilon": "layer_norm_epsilon", "Dropout": "resid_pdrop"},
		epsilon: 1e-5, activation: "gelu_new", decoder: true, prefix: "transformer.",
		body: join(rows("wte.weight", "tokens", "Vocabulary"), rows("wpe.weight", "positions", "Positions"),
			norm(in+"ln_1", out+"attention_norm"), third(in+"attn.c_attn", out+"query", 1), third(in+"attn.c_attn", out+"key", 2), third(in+"attn.c_attn", out+"value", 3),
			straight(in+"attn.c_proj", out+"output", "Units"), norm(in+"ln_2", out+"norm"),
			straight(in+"mlp.c_fc", out+"inner", "Units", "Inner"), straight(in+"mlp.c_proj", out+"outer", "Units", "Inner"), norm("ln_f", "final_norm")),
		heads: []head{
			{"GPT2Model", "hidden", false, nil},
			{"GPT2LMHeadModel", "language_model", false, nil},
			{"GPT2ForSequenceClassification", "classification", false, []name{{"score.weight", "classifier", "weight", true, 0, []string{"Labels", "Units"}}}},
			{"GPT2ForTokenClassification", "tagging", false, linear("classifier", "classifier", "Labels", "Units")},
		},
		ignored: []string{"h.#.attn.bias", "h.#.attn.masked_bias"},
	}
}()
