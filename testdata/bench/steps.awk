# Reads what BenchmarkRatio of stdlib/learn, jax_training.py and torch_training.py print, of any number of rounds, and prints for each
# model the smallest times, and the ratios of mbuild to all others that are there. Losses of the first epoch must be the same in JAX
# and PyTorch, or they did not train the same.
{ name = $1; sub(/^BenchmarkRatio\//, "", name); sub(/-[0-9]+$/, "", name) }
/^BenchmarkRatio/ { for (i = 3; i < NF; i++) if ($(i + 1) ~ /ms\/step$/) least(name, $(i + 1), $i) }
$2 ~ /^(jax|torch)-ms\/step$/ {
  least($1, $2, $3)
  if (!($1 in loss)) loss[$1] = $5
  if ($5 - loss[$1] > 0.001 || loss[$1] - $5 > 0.001) { printf "%s: the first epoch has a mean loss of %s and one of %s\n", $1, loss[$1], $5; bad = 1 }
}
function least(n, what, v) { if (!((n, what) in t) || v + 0 < t[n, what]) t[n, what] = v + 0 }
END {
  count = split("64-128-64-10 784-256-10 cnn encoder bert-tiny minilm", order, " ")
  split("hand jax torch", other, " ")
  split("by hand,JAX,PyTorch", title, ",")
  for (i = 1; i <= count; i++) {
    n = order[i]
    if (!((n, "mbuild-ms/step") in t)) continue
    m = t[n, "mbuild-ms/step"]
    times = sprintf("mbuild %.3f ms", m)
    ratios = ""
    for (k = 1; k <= 3; k++) if ((n, other[k] "-ms/step") in t) {
      o = t[n, other[k] "-ms/step"]
      times = times sprintf(", %s %.3f ms", title[k], o)
      ratios = ratios sprintf("%s mbuild / %s %.2f", ratios == "" ? "" : ",", title[k], m / o)
    }
    printf "%-14s %s a step;%s\n", n, times, ratios
  }
  exit bad
}
