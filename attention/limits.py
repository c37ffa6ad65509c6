"""Numbers that refuse, each once: how large a picture, a prompt, a run or a file from anybody may be.

Knows nothing of how any of it is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MAX_PIXELS = 64_000_000  # of one picture, by its header
MAX_PICTURE_BYTES = 4_000_000_000  # of one picture's file
MAX_PICTURE_CHARACTERS = 100_000_000  # of a picture that is written into a chat
HOSTED_PICTURE_MB = 25  # of one picture's file on a server; the environment may say otherwise: ATTENTION_PICTURE_MB


@dataclass(frozen=True)
class Limits:
    """Limits of one run, from its pictures to its bytes on disk; every number can be set."""

    image_pixels: int = MAX_PIXELS
    pixels_together: int = 16 * MAX_PIXELS  # of a request's pictures
    picture_bytes: int = MAX_PICTURE_BYTES
    unsafe_formats: bool = True  # are read for which Pillow has a known fault: a person knows where a file comes from
    images: int = 16
    videos: int = 4
    video_bytes: int = 4_000_000_000  # of one video's file
    video_seconds: float = 4 * 3600  # that it lasts
    video_frames: int = 1_000_000  # that it has
    video_pixels: int = 400_000_000_000  # of all its frames: those before the ones that are read are decoded, too
    frames: int = 768  # that are read of all videos together
    frames_pixels: int = 4_000_000_000  # of the frames that are read of a video: all are in memory at once, as RGB
    prompt_characters: int = 100_000
    new_tokens: int = 4096
    tokens: int = 32_768  # of the whole sequence
    run_bytes: int = 16_000_000_000  # of one run on disk
    rows_bytes: int = 512_000_000  # up to here, every token's row is stored
    buffer_bytes: int = 2_000_000_000  # waiting to be written
    default_visual_tokens: int | None = None  # an image, unless asked; None leaves the processor's own limit
    default_frames: int | None = None  # that are read of a video, unless asked; likewise

    def of_kept_pictures(self) -> Limits:
        """The same for pictures of a finished run: they are kept without loss, larger than what was uploaded."""
        return replace(self, picture_bytes=MAX_PICTURE_BYTES)

    @classmethod
    def local(cls, device: str = "cpu") -> Limits:
        """Limits of a person's own machine."""
        is_cpu = device == "cpu"
        return cls(default_visual_tokens=1024 if is_cpu else None, default_frames=16 if is_cpu else None)

    @classmethod
    def hosted(cls) -> Limits:
        """Limits of a public server, where many share a disk and a GPU."""
        return cls(
            pixels_together=MAX_PIXELS,
            picture_bytes=HOSTED_PICTURE_MB * 1_000_000,
            unsafe_formats=False,
            images=4,
            videos=1,
            video_bytes=100_000_000,
            video_seconds=600.0,
            video_frames=36_000,
            video_pixels=20_000_000_000,
            frames=64,
            frames_pixels=200_000_000,
            prompt_characters=8000,
            new_tokens=512,
            tokens=8192,
            run_bytes=2_000_000_000,
            rows_bytes=256_000_000,
            buffer_bytes=1_000_000_000,
            default_visual_tokens=1024,
            default_frames=16,
        )


@dataclass(frozen=True)
class TurnLimits:
    """Limits of the jobs that wait and run, by who asks for them; on a person's own machine they bound memory alone."""

    running: int = 1_000  # of one session at once, of those that have begun
    waiting: int = 1_000  # of one session besides
    at_address: int = 1_000  # of all sessions of one network address, running or waiting
    together: int = 100  # of everybody, waiting: each is an open request and a thread
    ahead: int = 1  # that prepare their inputs while others run

    @classmethod
    def hosted(cls) -> TurnLimits:
        """Limits of a public server. An address has what four sessions have: people behind one share it."""
        return cls(running=1, waiting=3, at_address=16, together=60)


# A request

MAX_ANSWER_FILE_BYTES = 16 << 20  # of an answer that was saved: a completion may hold probabilities of every token
MAX_VISUAL_TOKENS = 16_384  # of an image
MAX_ADAPTER_SCALE = 1.5  # times as strong as it was trained
PAGE_PICTURES = 8  # that the page takes for one question

# A map over cells: each is hidden by itself, a pass of the model each

DEFAULT_KNOCK_OUTS = 256  # unless asked: larger grids are hidden block by block
MAX_KNOCK_OUTS = 4_096
MOST_SIDES = 16  # regions along each side of a picture, for which maps are judged

# A picture that is read, and one that is drawn

# Scans of a JPEG, each a pass over the whole picture: 64 million pixels take up to 30 ms even where a scan is empty.
# Ordinary ones have about 10; libtiff allows a JPEG inside a TIFF as many.
MAX_SCANS = 100
MAX_FRAMES = 10_000  # of an animation, or pictures of a TIFF: five minutes of a film, of which the first one is used
# What Pillow reads one by one
MAX_CHUNKS = 100_000  # of PNG, WebP; extensions of GIF. 64 million pixels of 16 bits in libpng's 8 KB chunks are 62,500
MAX_SEGMENTS = 2_000  # of a JPEG: 64 MB of metadata, and ten for each scan
MAX_SINGLE_PARTS = 1_000_000  # blocks of a GIF, 255 bytes each, or a JPEG's bytes between segments
MAX_PROFILES = 16  # of a PNG
MAX_COMMENT_BLOCKS = 4_096  # of a GIF, 255 bytes each
MAX_TAGS = 4_096  # of a directory in a TIFF or in Exif data; pictures have about a hundred
MAX_STRIPS = 250_000  # of a TIFF: 64 million pixels in the smallest tiles that there are, 16x16
MAX_STRIPS_OVER = 8  # times as many pixels in its strips as it has: planes that are left out
MAX_EXIF_BYTES, MAX_EXIF_MARKS = 1 << 20, 16  # and how often it may begin
MAX_RUN_LENGTH_PIXELS = 1_000_000  # of a BMP with run lengths, of which Pillow reads each on its own, in Python
MAX_CANVAS_PIXELS = 1 << 28  # thin pictures become huge on the way to their crop or onto their square
MAX_FIGURE_MEGAPIXELS = 40  # of a figure larger than its picture

# Pictures of strangers, decoded in processes of their own. 64 million pixels take 1 to 6 seconds, and at most 1.6 GB

DECODERS = 3  # processes; visitors' jobs leave one of them to whoever looks at runs
LARGE_PIXELS = 16_000_000  # from here on a picture takes seconds, and small ones need not wait for it
DECODER_CPU_SECONDS = 20  # for one picture
VIDEO_CPU_SECONDS = 60  # for one video
DECODER_PATIENCE = 3  # times as long by the clock, where many share the processors
DECODER_BYTES = 2 << 30  # of memory, beside what the process begins with
WORN_DECODER_BYTES = 150 << 20  # that one may keep after a task, until another takes its place
PICTURES_BYTES = 2 << 30  # of decoded pictures in the app's process, 4 a pixel: of all jobs and all that is drawn
PICTURES_WAIT_S = 30  # until there is room for one that is drawn

# A model's config

# several times what the largest models have
MAX_MODEL_LAYERS, MAX_MODEL_HEADS, MAX_MODEL_SIZE = 1_000, 10_000, 10_000_000

# A run or a comparison from anybody: its zip

# What a zip may unpack to. On a server what its own runs may have, so that what was made there opens there again; on a
# person's own disk far more than any run has, so that only a zip that is made to fill the disk is stopped.
HOSTED_ZIP_BYTES = Limits.hosted().run_bytes
LOCAL_ZIP_BYTES = 32 << 30
MAX_ZIP_ENTRIES = 10_000  # a run has one for each layer of each tower, two for each image, and a few; at most 13 runs
MAX_ZIP_CONTENTS_BYTES = 1 << 20  # the zip's own list of its entries
MAX_ZIP_RATIO, ZIP_RATIO_FROM_BYTES = 200, 64 << 20  # what a zip grows by; small ones may, as all-zero masks do
# run.json: a hundred bytes for each token, thirty for each key of other towers; all reading.json of a run in a zip
MAX_INDEX_BYTES = 16 << 20
MAX_INDEXES_BYTES = 64 << 20  # of all members' run.json: they are read together
MAX_BROUGHT_READINGS = 1_000  # of one run in a zip

# Its JSON

MAX_JSON_DEPTH = 32  # of lists in lists
MAX_TEXT, MAX_NAME = 1_000_000, 500  # characters
MAX_WHOLE = 1 << 53  # what JavaScript counts to exactly

# What it holds

MAX_LAYER_HEADER_BYTES = 1 << 20
MAX_TOKENS = 1 << 18
MAX_IMAGES = 1_000
MAX_GRIDS = 10_000
MAX_LAYERS = 1_000
MAX_HEADS = 1_024
MAX_GROUPS = 1_000
MAX_ROW_VALUES = 1 << 28  # one token's rows in all layers and heads, which the page reads at once
MAX_TOKEN_TEXT = 1_000  # characters
MAX_BOX_PX = 10_000_000  # how far a tile, or a place that an answer names, may reach beyond its picture
MAX_MEASURES = 50
MAX_QUERIES = 4_096  # rows of a tower that were compared; `comparisons.measuring.ROWS` are fewer
MAX_CHANGED_HEADS = 1 << 20  # of all adapters and layers: lines of the table that is downloaded
MAX_TABLE_VALUES = 1 << 26  # of a measure in a tower, which is read as a whole
MAX_CHANGES, MAX_PARTS = 20_000, 500  # modules whose weights changed, and their kinds
MAX_CARD_FIELDS = 100
MAX_ADAPTERS = 12  # of one comparison

# An adapter

MAX_ADAPTER_CONFIG_BYTES = 256 << 10
MAX_PICKLE_START_BYTES = 4 << 20  # of a pickle beside it: the names of its tensors come first
MAX_ADAPTER_HEADER_BYTES = 25 << 20
HOSTED_ADAPTER_BYTES = 1 << 30  # on a server; on a person's own machine they ask
MAX_PATTERN_CHARACTERS = 20_000  # as a list of every module of a large model, written as one pattern
MAX_ALPHA = 1e6  # lora_alpha
MAX_MODULE_NAMES = 1_000  # of modules that are replaced, or lists of layers
MAX_FOLDER_DEPTH = 5  # of folders below the one that is searched
MAX_FOLDERS = 5000  # that are looked into
MAX_FILES_LOOKED_AT = 5000  # to say what a path is that holds no adapter

# A library of runs

MAX_LIBRARY_DEPTH = 6  # of folders below each of its own
MAX_LIBRARY_FOLDERS = 100_000  # that are looked into, below each
MAX_LISTED = 100  # runs that are sent at once
MAX_LISTED_TEXT = 300  # characters of a question or an answer in a list

# Many visitors

# On a server. The environment may say otherwise: ATTENTION_KEPT_MB, ATTENTION_UPLOADS_MB, ATTENTION_ZIP_MB,
# ATTENTION_EXPORT_MB
HOSTED_KEPT_MB = 24_000  # all visitors' runs, uploads and exports together, of the 50 GB a Space has
HOSTED_UPLOADS_MB = 4_000  # of them uploads
HOSTED_UPLOADED_ZIP_MB = 256  # of one file
HOSTED_EXPORT_MB = 500  # of one that is written as a file
CALLS_OF_ADDRESS = 100  # that wait to be handed on, each for milliseconds
VISITOR_RUNS, VISITOR_KEPT_BYTES = 12, 4_000_000_000  # of one session; beyond, its oldest ones go
ADDRESS_FETCHED_BYTES = 4 * HOSTED_ADAPTER_BYTES  # by its people's own logins to the Hub
RUN_READINGS_BYTES = 2_000_000_000  # of one visitor's run, or comparison: beyond, the oldest readings of it go
PUBLIC_READINGS_BYTES = 2_000_000_000  # the same of all examples together, which everybody asks about
MOST_READINGS = 100  # of one run on a server: each is opened for the list of them
PEOPLE_AT_ADDRESS = 3  # an address may have as much as so many sessions: a university shares one
MB_A_MINUTE = 600  # of one visitor
MAX_HTML_MEGABYTES = 200  # of one file: a browser holds all of it
EXPORTS_WAITING = 6  # for a moment: each holds a thread, of which rows that are looked at have need
EXPORTS_AT_ONCE, EXPORT_WAIT_S = 2, 10  # a large figure takes hundreds of megabytes while it is drawn
# Numbers of a reading that are made of whole layers: seconds of every core. A page asks for several at once.
WALKS_AT_ONCE, WALKS_WAITING, WALK_WAIT_S = 2, 40, 30

# A gallery of finished examples. The environment may say otherwise: ATTENTION_GALLERY_MB

GALLERY_MB = 2_000
MAX_GALLERY, MAX_GALLERY_INDEX_BYTES = 24, 1 << 20
