cd /tmp/hpweb/rb
for f in A B C; do echo "== $f"; FID=$f OMP_NUM_THREADS=1 PYTHONPATH=. /work/main/.venv/bin/python /tmp/hpweb/race.py digits_cnn,crossing,slow_start 0:30 "random,asha gp,hyperband gp"; done
echo "== tpe"; OMP_NUM_THREADS=1 PYTHONPATH=. /work/main/.venv/bin/python /tmp/hpweb/race.py crossing,slow_start,parallel 0:10 "random,asha random,asha tpe,hyperband random,hyperband tpe"
date
