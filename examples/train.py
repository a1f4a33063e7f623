"""Train a classifier with a different formula in each layer, save it, and load it again."""

from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import chainrule

X, y = load_wine(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
scaler = StandardScaler().fit(X_train)

classifier = chainrule.FeedforwardClassifier(
    hidden_layer_sizes=(32, 16),
    activation=["z*exp(-z**2)", "z/sqrt(1 + z**2)"],
    max_iter=1000,
    random_state=0,
).fit(scaler.transform(X_train), y_train)
print("accuracy on held-out rows:", classifier.score(scaler.transform(X_test), y_test))

classifier.save("wine.safetensors")
again = chainrule.load("wine.safetensors")
print("the same after loading:", again.score(scaler.transform(X_test), y_test))
