"""scikit-learn's side of `npm run bench evaluation`: reads lines of JSON on stdin and answers each with a line on stdout.

  {"x": file of float32, "y": [...], "width": D, "C": C}     the data of the fits to come
  {"tolerance": t}                                           fits: seconds, processor, iterations, evaluations, loss, gradient
  {"coef": file of float64 (D, K), "intercept": [...]}       of another's classifier: loss and gradient, by the same code

`loss` is that of scikit-learn's objective over C * N, `gradient` the largest absolute entry of its gradient.
"""

import json
import sys
import time

import numpy as np
import sklearn
from scipy import optimize
from sklearn.linear_model import LogisticRegression

counts = {}
search = optimize.minimize


def counted(*args, **kwargs):
    found = search(*args, **kwargs)
    counts.update(iterations=int(found.nit), evaluations=int(found.nfev))
    return found


optimize.minimize = counted


def judged(x, y, C, w, b):
    N = len(y)
    z = x @ w + b
    z -= z.max(1, keepdims=True)
    p = np.exp(z)
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(N), y]).mean() + (w**2).sum() / (2 * C * N)
    p[np.arange(N), y] -= 1
    gradient = max(np.abs(x.T @ p / N + w / (C * N)).max(), np.abs(p.mean(0)).max())
    return {"loss": float(loss), "gradient": float(gradient)}


def fitted(x, y, C, tolerance):
    wall, processor = time.perf_counter(), time.process_time()
    model = LogisticRegression(C=C, tol=tolerance, max_iter=10000).fit(x, y)
    taken = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    return {**taken, **counts, **judged(x, y, C, model.coef_.T, model.intercept_)}


def main():
    data = None
    print(json.dumps({"sklearn": sklearn.__version__}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        if "x" in asked:
            x = np.fromfile(asked["x"], dtype=np.float32).reshape(-1, asked["width"])
            data = (x.astype(np.float64), np.array(asked["y"]), asked["C"])
            answer = {}
        elif "tolerance" in asked:
            answer = fitted(*data, asked["tolerance"])
        else:
            w = np.fromfile(asked["coef"]).reshape(data[0].shape[1], -1)
            answer = judged(*data, w, np.array(asked["intercept"]))
        print(json.dumps(answer), flush=True)


main()
