"""The toolkit that notebooks import, and the learner's side of the exchange. Runs beside learner code: trusts nothing.

By craft: ``script`` (Fountain), ``shots`` (OpenTimelineIO), ``takes`` (diffusers), ``measure`` (a film's own file),
``provenance`` (what was made from what). ``model`` makes and checks model folders; ``exchange`` and ``start`` talk to
the intake over HTTP. torch and diffusers are imported late, so that a notebook without a model opens quickly.
"""
