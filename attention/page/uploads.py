"""Uploads on a server, each into a folder of its own: Gradio's own route names a file by its content alone, so that two
visitors who send the same picture share it, and lose it together.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from gradio.route_utils import upload_fn
from gradio.routes import file_upload_statuses
from gradio.utils import get_upload_folder
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from attention.client_address import address_of
from attention.environment import user_cache_folder
from attention.visitors.presence import Visitor
from attention.visitors.process_folder import ProcessFolder, remove_abandoned
from attention.visitors.service import Service

NO_FILE = "files must be files, each with a name, as curl sends them with -F files=@picture.png."
FULL = "This server cannot keep an upload at the moment. Try again later."

log = logging.getLogger("app")


def own_uploads() -> ProcessFolder:
    """Give Gradio a folder for uploads that is this process's own, below the one that the environment names, if any.

    Gradio's usual one is shared: the end of one app would take the files of another. What a process that was killed has
    left is removed.
    """
    named = os.environ.get("GRADIO_TEMP_DIR")
    root = Path(named).absolute() if named else user_cache_folder() / "uploads"
    own = ProcessFolder(root)
    remove_abandoned(root)
    os.environ["GRADIO_TEMP_DIR"] = str(own.path)
    return own


def upload_route(service: Service, most: int) -> Route:
    """The route that takes uploads of at most so many bytes a file, and answers as Gradio's: with their paths."""

    async def upload(request: Request) -> Response:
        visitor = Visitor("", address_of(request.headers, request.client))
        upload_id = request.query_params.get("upload_id")
        told = file_upload_statuses if upload_id else None
        folder, paths = None, []
        try:
            folder = service.files.new_folder(Path(get_upload_folder()), visitor, is_export=False)
            paths, _, _ = await upload_fn(request, str(folder), most, upload_id, upload_progress=told)
            return JSONResponse(paths)
        except MultiPartException as error:
            return PlainTextResponse(error.message, 413 if "maximum allowed size" in error.message else 400)
        except TypeError:  # by which Gradio says that something else stands where a file is due
            return PlainTextResponse(NO_FILE, 400)
        except OSError as error:
            log.error("No upload can be kept: %s", error)
            return PlainTextResponse(FULL, 503)
        finally:
            if folder is not None:  # what nobody is told of, nobody uses
                (service.files.written if paths else service.files.remove)(folder)

    return Route("/gradio_api/upload", upload, methods=["POST"])
