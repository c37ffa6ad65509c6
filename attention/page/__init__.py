"""The page and its endpoints, part by part, and the server that they stand on: `app.py` starts it.

    gradio_import  Gradio without what is of no use here, before anything else imports it
    jobs        a job as plain data, done where the model runs
    inputs      what is filled, as components, and its values as a Request's fields
    sentences   what is said of runs, progress and errors
    manifests   what the viewers are told: which run, and where to look first
    calls       what was sent and is no call of the page or an endpoint, said in words
    uploads     files that visitors of a server send
    sessions    what Gradio keeps of each
    visitors    who sends a request
    controls    Run and Stop, and the line that says how far a run is
    library     the list of what is kept: opened, deleted, taken in from a zip
    trials      what a viewer asks of a finished run, trials and readings, and is told
    explore     the tab that makes a run and shows it
    compare     the tab that sets adapters beside their base
    scores      the tab of scores over a set, where a folder of them is shown
    logins      a visitor's own login to the Hub, where one is offered
    foot        what stands below them on a Space
    endpoints   the same for scripts
    agents      tools for agents on this machine
    agent_answers  what an agent is told of a run or a comparison
    whole       all of it, put together
    launch      the server
    links       links that a person is told of as it starts

The tabs and the endpoints do not know each other; all of them use the rest.
"""

# of every event that runs a model: Gradio hands it on at once, and `visitors.turns` says when it is its turn
JOB = {"concurrency_id": "jobs", "concurrency_limit": None}
QUIET = {"show_progress": "hidden", "api_visibility": "private"}  # of an event of the page alone
