"""The app as on ZeroGPU, without one: a stand-in for the scheduler, real forks, real pipes. Run by test_zero_gpu.py.

`python zero_gpu.py MODEL PICTURE ADAPTERS RUNS` prints one line for each thing that was tried: first where every call
forks a process of its own (cold), then where the last one is kept (warm). It leans on the insides of the `spaces`
package, as a stand-in must.
"""

import asyncio
import json
import multiprocessing
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

model, picture, adapters, runs = sys.argv[1:]
calls, temperature = [], "cold"
quota = None  # what is left of it, once it is used up


class Scheduler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.split("?")[0]
        calls.append(path)
        idle = temperature == "warm" and calls.count("/schedule") > 1
        answer = {"idle": idle, "nvidiaIndex": 0, "nvidiaUUID": "x", "allowToken": "t"} if path == "/schedule" else {}
        if path == "/schedule" and quota is not None:
            answer = quota
        body = json.dumps(answer).encode()
        self.send_response(429 if answer is quota else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Scheduler)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ |= {
    "SPACES_ZERO_GPU": "true",
    "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{server.server_port}",
    "SYSTEM": "spaces",
}

import torch  # noqa: E402 - after the environment is set, and before spaces

touched = []  # by the main process, which never has a device
torch.version.cuda = "12.8"
torch._C._cuda_init = lambda: touched.append("CUDA")
torch.cuda._is_in_bad_fork = bool

import spaces  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent.parent))
import app  # noqa: E402

import spaces.zero.torch  # isort: skip  # noqa: E402

spaces.zero.torch.init = lambda _: None
spaces.zero.torch.move = lambda callback=None: None

from gradio_client import Client, handle_file  # noqa: E402

from attention import decoder_pool  # noqa: E402
from attention.capture import images  # noqa: E402
from attention.models import devices  # noqa: E402
from attention.runs.partial import PartialRun  # noqa: E402
from attention.visitors.store import RunCache  # noqa: E402

devices.has_cuda = lambda: False
TO_STOP, ASLEEP, KILLED = 500, 501, 502  # tokens asked for by jobs that do not come to their end
report, check_cancelled = PartialRun.report, PartialRun.check_cancelled


def report_and_wait(partial, phase, done=0, total=0, answer=None):
    """Hold such jobs at their first token: tiny models are done before anybody sees them write."""
    report(partial, phase, done, total, answer)
    if (phase, done) != ("answer", 1):
        return
    while total == TO_STOP and not partial.is_cancelled:
        threading.Event().wait(0.02)
    if total == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    if total == ASLEEP:
        threading.Event().wait()


loops, new_event_loop = [], asyncio.new_event_loop
asyncio.new_event_loop = lambda: loops.append(new_event_loop()) or loops[-1]
PartialRun.report = report_and_wait
opened, main = images.open_image, os.getpid()


def open_image_here(*args, **settings):
    """Decode a stranger's picture where no device is held, and nowhere else."""
    assert os.getpid() == main
    return opened(*args, **settings)


images.open_image = open_image_here
decoder_pool.use(decoder_pool.Decoders(2))  # as `app.open_service` has it: a worker inherits their pipes
cache = RunCache(runs, library=False)
service = app.new_service(cache, is_hosted=True, model=model, adapters_dir=Path(adapters))
demo = app.launch(service, quiet=True)
print("loops", len(loops), flush=True)  # each that is left open is 25 lines of a complaint, sooner or later
client = Client(demo.local_url, verbose=False, headers={"x-ip-token": "e30.e30.e30"})


def analyze(**fields):
    return client.submit(images=handle_file(picture), prompt="what color is the star?", api_name="/analyze", **fields)


def stopped(max_new_tokens):
    """Stop a job once it is seen to write, and wait until nothing of it is left."""
    job = analyze(mode="generate", max_new_tokens=max_new_tokens)
    while not (job.status().progress_data and "answer" in (job.status().progress_data[0].desc or "")):
        threading.Event().wait(0.02)
    job.cancel()
    while any(thread.name.startswith(("job ", "watch ")) for thread in threading.enumerate()):
        threading.Event().wait(0.02)
    return sorted(path.name for path in service.cache.new_folder().parent.glob("*.partial"))


def refused(**fields):
    try:
        return analyze(**fields).result()
    except Exception as error:  # noqa: BLE001 - it is printed, whatever it is
        return str(error)


for temperature in ("cold", "warm"):  # the scheduler reads it too
    calls.clear()
    for _ in range(2 if temperature == "warm" else 1):  # the second by the process of the first
        made = analyze(answer="red").result()
        print("made", made["answer"], len(made["run"]["tokens"]) > 10, made["folder"], flush=True)
    print("stopped", stopped(TO_STOP), flush=True)
    print("stopped asleep", stopped(ASLEEP), flush=True)
    print("killed", refused(mode="generate", max_new_tokens=KILLED), flush=True)
    print("again", analyze(answer="blue").result()["answer"], flush=True)
    print("calls", calls.count("/schedule"), flush=True)
calls.clear()
print("refused", "no_such_family" in refused(adapter="nobody/nothing", model_type="no_such_family"), flush=True)
print("calls", calls.count("/schedule"), flush=True)
compared = client.predict(
    images=handle_file(picture), prompt="what?", answer="red", adapters=["./first"], api_name="/compare"
)
print("compared", len(compared["comparison"]["members"]), flush=True)
tried = client.predict(ticket=made["ticket"], heads=[[0, 0]], api_name="/try")
print("tried", tried["heads"], len(list(cache.readings(made["ticket"]).iterdir())), flush=True)
read = client.predict(ticket=made["ticket"], kind="lens", api_name="/reading")
again = client.predict(ticket=made["ticket"], kind="lens", api_name="/reading")
print("read", read["kind"], read == again, len(list(cache.readings(made["ticket"]).iterdir())), flush=True)
os.environ["ATTENTION_GPU_SECONDS"] = "5"
print("too long", refused(answer="red"), flush=True)
del os.environ["ATTENTION_GPU_SECONDS"]
quota = {"left": 12, "wait": 3600}
print("quota", refused(answer="red"), flush=True)
quota = None
print("again", analyze(answer="blue").result()["answer"], flush=True)
print("touched", touched, flush=True)
client.close()
demo.close()
service.close()
for worker in multiprocessing.active_children():
    worker.kill()
os._exit(0)  # threads of the stand-in wait for workers that will not come back
