# metrics.py REQUEST: seqeval, scikit-learn and scipy measure. REQUEST is a JSON file: {"tags": [{"predicted": [[...]], "right": [[...]]}, ...],
# "rankings": [{"scores": [...], "gains": [...]}, ...], "k": K, "pairs": [{"x": [...], "y": [...]}, ...]}.
import json
import sys
import warnings

from scipy.stats import pearsonr, spearmanr
from seqeval.metrics import accuracy_score, classification_report, f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities
from sklearn.metrics import ndcg_score

warnings.simplefilter("ignore")
request = json.load(open(sys.argv[1], encoding="utf-8"))
out = {"tags": [], "ndcg": [], "spearman": [], "pearson": []}
for t in request["tags"]:
    right, predicted = t["right"], t["predicted"]
    report = classification_report(right, predicted, output_dict=True, zero_division=0) if any(get_entities(s) for s in right + predicted) else {}
    out["tags"].append({
        "f1": float(f1_score(right, predicted, zero_division=0)), "precision": float(precision_score(right, predicted, zero_division=0)),
        "recall": float(recall_score(right, predicted, zero_division=0)), "accuracy": float(accuracy_score(right, predicted)),
        "types": {k: {"f1": float(v["f1-score"]), "precision": float(v["precision"]), "recall": float(v["recall"]), "support": int(v["support"])}
                  for k, v in report.items() if not k.endswith(" avg")},
        "entities": [[[e[1], e[2] + 1, e[0]] for e in get_entities(s)] for s in right],
    })
for r in request["rankings"]:
    out["ndcg"].append(float(ndcg_score([r["gains"]], [r["scores"]], k=request["k"], ignore_ties=True)))
for p in request["pairs"]:
    out["spearman"].append(float(spearmanr(p["x"], p["y"])[0]))
    out["pearson"].append(float(pearsonr(p["x"], p["y"])[0]))
json.dump(out, sys.stdout)
