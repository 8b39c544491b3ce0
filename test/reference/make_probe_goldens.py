"""Writes test/golden/metrics.json and test/golden/logistic.json: what scikit-learn and SciPy say of small made inputs.

Needs: pip install scikit-learn scipy   (1.9 and 1.17 wrote the files that are committed)
"""

import json
import pathlib
import warnings

import numpy as np
from scipy import stats
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
rng = np.random.default_rng(7)


def round_list(values):
    return [float(f"{v:.17g}") for v in np.asarray(values, dtype=np.float64).ravel()]


def metric_cases():
    cases = []
    for n, classes in [(1, 2), (7, 2), (60, 2), (200, 5), (40, 3)]:
        targets = rng.integers(0, classes, n)
        predictions = np.where(rng.random(n) < 0.6, targets, rng.integers(0, classes, n))
        scores = np.round(rng.normal(size=n) + targets, 1)  # ties
        case = {
            "classes": classes,
            "targets": targets.tolist(),
            "predictions": predictions.tolist(),
            "scores": round_list(scores),
            "accuracy": metrics.accuracy_score(targets, predictions),
            "matthews": metrics.matthews_corrcoef(targets, predictions),
            "meanPerClass": metrics.recall_score(targets, predictions, average="macro", labels=np.unique(targets)),
        }
        if n > 1:
            case["pearson"] = stats.pearsonr(scores, targets)[0]
            case["spearman"] = stats.spearmanr(scores, targets)[0]
        if classes == 2:
            case["f1"] = metrics.f1_score(targets, predictions, zero_division=0)
            if len(set(targets.tolist())) == 2:
                case["auroc"] = metrics.roc_auc_score(targets, scores)
        cases.append(case)
    return cases


def optimum(x, y, classes, c):
    """The optimum of scikit-learn's objective to float64, by L-BFGS and then Newton's steps.

    1/2 |W|^2 + C sum log-loss, the intercepts free. With two classes scikit-learn has one column w for both, that is
    W = (-w/2, w/2) and so |W|^2.
    """
    n, d = x.shape
    l2 = 2.0 if classes == 2 else 1.0
    one_hot = np.eye(classes)[y]

    def objective(flat):
        w = flat.reshape(d + 1, classes)
        logits = x @ w[:d] + w[d]
        log_p = logits - logsumexp(logits, axis=1, keepdims=True)
        p = np.exp(log_p)
        loss = -c * (one_hot * log_p).sum() + 0.5 * l2 * (w[:d] ** 2).sum()
        g = c * (p - one_hot)
        return loss, np.concatenate([x.T @ g + l2 * w[:d], g.sum(0, keepdims=True)]).ravel()

    found = minimize(objective, np.zeros((d + 1) * classes), jac=True, method="L-BFGS-B",
                     options={"maxiter": 20000, "maxfun": 40000, "ftol": 1e-16, "gtol": 1e-10, "maxcor": 30})
    flat = found.x
    ones = np.concatenate([x, np.ones((n, 1))], 1)
    for _ in range(30):
        _, gradient = objective(flat)
        w = flat.reshape(d + 1, classes)
        logits = ones @ w
        p = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
        size = (d + 1) * classes
        h = np.zeros((d + 1, classes, d + 1, classes))
        for i in range(classes):
            for j in range(classes):
                weight = c * (p[:, i] * ((i == j) - p[:, j]))
                h[:, i, :, j] = (ones * weight[:, None]).T @ ones
        h = h.reshape(size, size)
        h[np.arange(d * classes), np.arange(d * classes)] += l2
        step = np.linalg.lstsq(h, gradient, rcond=1e-13)[0]
        if np.abs(step).max() < 1e-13:
            break
        flat = flat - step
    w = flat.reshape(d + 1, classes).copy()
    w[d] -= w[d].mean()  # the intercepts are free up to a constant
    return objective(flat)[0], w


def logistic_cases():
    cases = []

    def add(name, x, y, classes, c):
        x = np.asarray(x, dtype=np.float64)
        loss, w = optimum(x, np.asarray(y), classes, c)
        ours = LogisticRegression(C=c, tol=1e-12, max_iter=100000).fit(x, y)
        theirs = ours.coef_.T if classes > 2 else np.concatenate([-ours.coef_.T, ours.coef_.T], 1) / 2
        assert np.abs(theirs - w[:-1]).max() < 1e-3 * np.abs(w[:-1]).max(), (name, theirs, w)
        cases.append({"name": name, "C": c, "classes": classes, "rows": len(x), "width": x.shape[1], "x": round_list(x),
                      "y": np.asarray(y).tolist(), "loss": loss, "coef": round_list(w[:-1]), "intercept": round_list(w[-1])})

    x = rng.normal(size=(60, 4))
    y = np.clip(np.round(x[:, 0] + 0.5 * rng.normal(size=60) + 1), 0, 2).astype(int)
    add("overlapping classes", x, y, 3, 1.0)
    add("strong regularisation", x, y, 3, 1e-4)
    add("separable", np.concatenate([x[:20] + 6, x[20:40] - 6]), [0] * 20 + [1] * 20, 2, 10.0)
    add("collinear", np.concatenate([x, x[:, :2] @ [[1.0], [2.0]], x[:, :1]], 1), y, 3, 1.0)
    add("badly scaled", x * [1e3, 1.0, 1e-3, 10.0] + [5e3, 0, 0, 100], y, 3, 0.1)
    add("one sample of a class", np.concatenate([x[y == 0], x[y == 1][:1], x[y == 2]]), [0] * (y == 0).sum() + [1] + [2] * (y == 2).sum(), 3, 100.0)
    return cases


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    (GOLDEN / "metrics.json").write_text(json.dumps(metric_cases(), indent=None) + "\n")
    (GOLDEN / "logistic.json").write_text(json.dumps(logistic_cases(), indent=None) + "\n")
