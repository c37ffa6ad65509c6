"""The bundled model: a tiny but real Qwen3-VL and the recipe that made it.

    words.py       what can be asked, in which wordings, and what is answered
    scenes.py      drawn pictures of shapes whose boxes are known
    windows.py     drawn windows whose controls' boxes are known
    questions.py   questions about them with their one right answer, and the objects they are about
    tokenizer.py   a byte-level tokenizer of the Qwen kind, small enough to ship
    model.py       the model's sizes
    batches.py     pictures and questions as tensors for training
    muon.py        an optimizer for matrices
    checkpoint.py  a half-trained model on disk
    train.py       `python -m attention.pocket.train`: one seeded command makes the folder
    publish.py     the files of the folder
    held_out.py    pictures and questions that training never saw
    reading.py     the model as anyone would use it
    looks.py       the rule by which a head's look hits or misses
    measures.py    right answers, looks, and answers without some heads
    evaluate.py    `python -m attention.pocket.evaluate`: the figures of the card
    landscape.py   a picture like a photograph, from outside its world
    examples.py    `python -m attention.pocket.examples`: the app's example pictures and finished runs

Nothing else in `attention` imports this package: the app reads the finished folder (`assets/pocket/`) by the path that
serves every other model. Importing it loads neither torch nor transformers.
"""
