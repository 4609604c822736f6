import re
import sys

VARIANTS = [
    "agggtaaa|tttaccct", "[cgt]gggtaaa|tttaccc[acg]", "a[act]ggtaaa|tttacc[agt]t",
    "agg[act]taaa|ttta[agt]cct", "ag[act]gtaaa|tttac[agt]ct", "ata[cg]t", "gg+t?a",
]
CODES = [("tHa[Nt]", "<4>"), ("aND|caN|Ha[DS]|WaS", "<3>"), ("a[NSt]|BY", "<2>"), ("[BDHKMNRSVWY]", "*")]

text = sys.stdin.read()
bare = re.sub(r">.*\n|\n", "", text)
for variant in VARIANTS:
    print(variant, len(re.findall(variant, bare)))
replaced = bare
for pattern, code in CODES:
    replaced = re.sub(pattern, code, replaced)
print(f"\n{len(text)}\n{len(bare)}\n{len(replaced)}")
