"""A self-hosted crowd: speaks the MTurk Requester API and serves HITs to people's browsers.

``serve`` runs the server; ``admin`` makes invitations, ``recruiting`` links for platforms. What a
worker's browser (or a program that acts like one, without any script) meets:

1. ``GET /join/<token>`` (or ``/recruit/<token>?PROLIFIC_PID=…``) sets the session cookie and leads
   to ``/worker``.
2. ``GET /worker`` lists HITs: one ``<li data-hit-id data-max-assignments data-state>`` each
   (``available`` or ``running``; those done are left out, and those that show what the worker
   has seen on another HIT for the same class), with a form that posts the hidden field ``csrf``
   to ``/worker/hits/<hit id>/accept``.
3. That answers 303 to ``/worker/assignments/<assignment id>?…``: the question's own page, with the
   form (its ``action`` and its hidden ``assignmentId`` filled in) and the images, each
   ``<img data-slot="i01" src="/i/<assignment id>/<random token>">``.
4. The form is posted to ``<turkSubmitTo>/mturk/externalSubmit`` and answers 303 to ``/worker``.
"""
