"""Every verb and flag of the command line, in one table.

The parser builds one verb's parser from it, the help and the shell completion are written from it.
What the contract has and this version does not do is in ``refused``.
"""

from __future__ import annotations

from launch_tui.cli.grammar import Flag, Verb

STATES = (
    "queued", "held", "claimed", "sourcing", "building", "starting", "running",
    "finished", "failed", "stopped", "preempted", "lost",
)  # fmt: skip
RESOURCES = ("local-process", "local-container", "slurm", "kubernetes", "sagemaker", "vertex")
TRACKING = ("required", "optional")
ON_REBOOT = ("lost", "requeue")
PRIORITIES = ("critical", "high", "medium", "low")

GLOBAL_FLAGS = (
    Flag(("--json",), "print JSON on stdout, messages on stderr"),
    Flag(("--home",), "the data directory", "DIR", completes="directory"),
    Flag(("--debug",), "show the traceback of an error"),
    Flag(("-h", "--help"), "show help"),
    Flag(("--version",), "show the version"),
)

_QUEUE = Flag(("-q", "--queue"), "the queue", "QUEUE", completes="queue")
_TRACKING = Flag(("--tracking",), "whether a job must call wandb.init", "RULE", choices=TRACKING)
_LINK = Flag(
    ("--link",), "link this path of the folder into the working copy", "PATH", many=True,
    completes="file",
)  # fmt: skip
_ENTRY_POINT = Flag(("-E", "--entry-point"), "the command that the job runs", "COMMAND")

_BASE_IMAGE = Flag(("-B", "--base-image"), "mount the code into this image and build none", "IMAGE")

_JOB_FLAGS = (
    Flag(("-n", "--name"), "the job's name; by default that of the folder or repository", "NAME"),
    _ENTRY_POINT,
    Flag(("-a", "--alias"), "an alias for this version", "ALIAS", many=True),
    Flag(("-r", "--runtime"), "the Python version", "3.X"),
    Flag(("-d", "--description"), "what the job is", "TEXT"),
    Flag(("--python",), "an existing interpreter to use as it is", "PATH", completes="file"),
    Flag(("--venv",), "an environment to use as it is (current, conda:NAME), or none", "ENV"),
    _BASE_IMAGE,
    Flag(
        ("-D", "--dockerfile"),
        "build its image from this Dockerfile, a path in its files",
        "PATH",
        completes="file",
    ),
    Flag(
        ("-b", "--build-context"),
        "the folder of its files that its image is built from",
        "PATH",
        completes="directory",
    ),
    _LINK,
    _TRACKING,
    Flag(("--schema",), "a JSON Schema of the configuration", "FILE", completes="file"),
    Flag(("--yes",), "take a folder over the size limit as well"),
)
_GIT_HASH = Flag(
    ("-g", "--git-hash"), "branch, tag or commit; the default branch if left out", "REF"
)

_IMAGE_JOB_FLAGS = tuple(
    flag
    for flag in _JOB_FLAGS
    if flag.names[-1]
    in ("--name", "--entry-point", "--alias", "--description", "--tracking", "--schema")
)

_IMPORT_FLAGS = (
    Flag(
        ("--files",),
        "its files: the downloaded code artifact, or a clone of its repository",
        "DIR",
        completes="directory",
    ),
    *(
        flag
        for flag in _JOB_FLAGS
        if flag.names[-1]
        in ("--name", "--alias", "--description", "--python", "--venv", "--tracking", "--schema")
    ),
)

_RUN_FLAGS = (
    Flag(("-c", "--config"), "configuration: a file, or JSON", "FILE|JSON", completes="file"),
    _ENTRY_POINT,
    Flag(("--name",), "the run's name", "NAME"),
    Flag(("-p", "--project"), "the wandb project", "PROJECT"),
    Flag(("-e", "--entity"), "the wandb entity", "ENTITY"),
    Flag(("--tag",), "a tag", "TAG", many=True),
    Flag(("--note",), "a note", "TEXT"),
    Flag(("--setenv",), "set a variable of the job", "NAME=VALUE", many=True),
    Flag(("--pass-env",), "pass on a variable of the agent's at start", "NAME", many=True),
    Flag(("--secret",), "as --pass-env, and never shown", "NAME", many=True),
    Flag(("-D", "--dockerfile"), "build the image from this Dockerfile of the job", "PATH"),
    _BASE_IMAGE,
    Flag(("--keep",), "keep the container after its end"),
    _TRACKING,
)
_RESOURCE_FLAGS = (
    Flag(("-R", "--resource-args"), "override the queue's resource configuration: a file, or JSON",
         "FILE|JSON", completes="file"),
    Flag(("-v", "--set-var"), "fill a template variable of the queue", "VAR=VALUE", many=True),
    Flag(("--gpus",), "GPUs to reserve for it", "N", number=True),
    Flag(("--gpu-memory",), "memory of each GPU to reserve, such as 20G", "SIZE"),
    Flag(("--cpus",), "processors to reserve for it", "N"),
    Flag(("--memory",), "memory to reserve for it, such as 16G", "SIZE"),
    Flag(("--timeout",), "end it if it runs longer, such as 2h", "TIME"),
    Flag(("--wandb",), "where its wandb writes: only here, or also to your W&B server", "MODE",
         choices=("offline", "online")),
    Flag(("--sync",), "send it to your W&B server at its end", "RULE",
         choices=("never", "finished", "ended")),
)  # fmt: skip
_ORDER_FLAGS = (
    Flag(("-P", "--priority"), "the priority level; for queues made with --prioritize", "LEVEL",
         choices=PRIORITIES),
    Flag(("--after",), "start it after another run: RUN[:ok|failed|any]", "RUN", many=True,
         completes="run"),
    Flag(("--begin",), "start it no earlier: 18:30, +2h, 2030-01-31T08:00", "WHEN"),
    Flag(("--retries",), "try a failure again, so often at most", "N", number=True),
    Flag(("--retry-on",), "which ends are tried again, such as failed,lost,oom", "KIND,...",
         many=True),
    Flag(("--backoff",), "wait before the first retry, doubled each time, such as 30s", "TIME"),
)  # fmt: skip
_PARAM = Flag(
    ("--param",), "one run for each value: key=a,b,c or key=0..4", "key=VALUES", many=True
)
_AFTERWARDS = (
    Flag(("--wait",), "wait for the outcome: exit 0 if it finished well, else 1"),
    Flag(("--follow",), "show the log as it comes, then as --wait"),
)
_LAUNCH_FLAGS = (
    _QUEUE,
    Flag(("-j", "--job"), "the job", "JOB", completes="job"),
    Flag(("-u", "--uri"), "create the job from here first", "PATH|GITURL", completes="directory"),
    Flag(("-d", "--docker-image"), "run an image without a job; -- ARGUMENTS are its own", "IMAGE"),
    Flag(("--in-place",), "run -- COMMAND in the folder itself, without a snapshot"),
    Flag(("--file",), "launch each line of a JSON Lines file", "FILE", completes="file"),
    *_RUN_FLAGS,
    *_RESOURCE_FLAGS,
    *_ORDER_FLAGS,
    _PARAM,
    _LINK,
    Flag(("--yes",), "take a folder over the size limit as well"),
    Flag(("--dry-run",), "say what would happen and do nothing"),
    *_AFTERWARDS,
    Flag(("--watch",), "launch again whenever the folder changes"),
)
_AGENT_FLAGS = (
    Flag(("-q", "--queue"), "a queue to serve; all if left out", "QUEUE", many=True,
         completes="queue"),
    Flag(("-j", "--max-jobs"), "how many runs at once; no limit if left out", "N", number=True),
    Flag(("-c", "--config"), "its settings; agent.yaml in the data directory if left out", "FILE",
         completes="file"),
)  # fmt: skip
_MAX_RUNNING = Flag(("--max-running",), "how many of its runs at once", "N", number=True)
_ON_REBOOT = Flag(
    ("--on-reboot",), "what becomes of its running runs when the machine reboots", "POLICY",
    choices=ON_REBOOT,
)  # fmt: skip

_QUEUE_FLAGS = (
    Flag(("-c", "--config"), "the resource configuration: a JSON or YAML file, or JSON",
         "FILE|JSON", completes="file"),
    Flag(("--template-variables",), "declare the {{holes}} of the configuration", "FILE|JSON",
         completes="file"),
    Flag(("--prioritize",), "claim by priority level, then in order"),
    Flag(("--no-prioritize",), "claim in order alone"),
    _MAX_RUNNING,
    _TRACKING,
    _ON_REBOOT,
)  # fmt: skip

_LAUNCH_HELP = """\
launch-tui launch train lr=3e-4 model.depth=18     a job that exists
launch-tui launch -q gpu -- python train.py        this folder, as it is now
launch-tui launch -u https://host/repo.git -E "python train.py"
launch-tui launch -d pytorch/pytorch:2.4.0 -q docker -- python -c "import torch"
launch-tui launch --file runs.jsonl -q gpu         one run a line, all or none
launch-tui launch train -q gpu --gpus 2 --memory 16G --timeout 2h
launch-tui launch train -q gpu --param lr=1e-3,3e-4 --param seed=0..4    10 runs, one group
launch-tui launch eval --after @:ok --retries 2 --retry-on failed,lost --backoff 30s

A value reads as JSON where it is JSON, else as text; a dot in a key nests: model.depth=18.
A line of --file is an object with job, config, name, tags, note, entry_point, project, entity,
setenv, pass_env, secrets, links, queue, resource_args, template_variables, priority, after, begin,
retries, retry_on, backoff, tracking, gpus, gpu_memory, cpus, memory, timeout; flags give what the
lines leave out."""

_GROUP_HELP = """\
In place of a run the id of a group, as `launch --param` prints it, means all runs of it that this
can be done to."""

_BACKUP_HELP = """\
launch-tui backup ~/launch-2030-01-31.tar.gz
launch-tui backup --exclude '*.ckpt' --exclude 'shared/*' FILE.tar.gz
ssh gpu-box launch-tui backup - > gpu-box.tar.gz

FILE is a tar archive, compressed unless its name ends in .tar; - is stdout. Environments, images
and working copies that can be made again are not in it, nor is any secret's value."""

_RESTORE_HELP = """\
launch-tui restore --home ~/launch-restored gpu-box.tar.gz
launch-tui restore --replace FILE.tar.gz

FILE may be - for stdin. Runs that were at work are lost; queues in which runs wait are paused."""

_PRUNE_HELP = """\
launch-tui prune --dry-run
launch-tui prune --older-than 14d --keep-failed

Goes: runs that ended before that; of the runs that stay, working copies, a day after their end,
but for what their jobs wrote into them; and artifacts, caches of repositories, environments and
build contexts that nothing needs. Images have `launch-tui image prune`."""

_FILTER_HELP = """\
launch-tui runs --filter 'lr>=1e-3 state:failed -tag:debug loss<0.3'
launch-tui runs --filter 'tag:baseline or not note~"^debug"'
launch-tui runs --filter 'duration>2h age<1d resnet'

Operators: = != < <= > >=  : (contains)  ~ !~ (regular expression)  and or not ( )  -term.
A space means and; a bare word is looked for in the names, the note and the cause.
Fields are those of `show --json` (q, j and s for queue, job and state), age and duration; state
takes active, waiting, ended and bad as well. Any other name is a key of the configuration, else a
metric of the summary: lr is config.lr, loss is summary.loss, model.depth nests."""

VERBS: tuple[Verb, ...] = (
    Verb(("launch",), "enqueue a run", "launch.launch", ("[JOB]", "[key=value]..."),
         _LAUNCH_FLAGS, json=True, command=True, more=_LAUNCH_HELP),
    Verb(("job", "create", "code"), "make a job from a folder", "jobs.create_code", ("PATH",),
         _JOB_FLAGS, json=True),
    Verb(("job", "create", "git"), "make a job from a git repository", "jobs.create_git", ("URL",),
         (_GIT_HASH, *_JOB_FLAGS), json=True),
    Verb(("job", "create", "image"), "make a job from a Docker image", "jobs.create_image",
         ("IMAGE",), _IMAGE_JOB_FLAGS, json=True),
    Verb(("job", "import"), "make a job from a downloaded W&B job artifact", "importing.import_job",
         ("PATH",), _IMPORT_FLAGS, json=True),
    Verb(("job", "list"), "the jobs", "jobs.list_jobs", json=True),
    Verb(("job", "show"), "one version of a job", "jobs.show", ("JOB",), json=True),
    Verb(("job", "alias"), "give a version a name", "jobs.alias", ("JOB", "ALIAS")),
    Verb(("job", "metric"), "say which metric tells its runs apart: KEY [min|max]", "jobs.metric",
         ("JOB", "[KEY]...")),
    Verb(("job", "delete"), "delete a job with all versions", "jobs.delete", ("JOB...",)),
    Verb(("job", "diff"), "what differs between two versions", "jobs.diff", ("JOB", "JOB"),
         json=True),
    Verb(("queue", "create"), "make a queue", "queues.create", ("NAME",),
         (Flag(("-r", "--resource"), "the target resource", "RESOURCE", choices=RESOURCES),
          *_QUEUE_FLAGS), json=True),
    Verb(("queue", "list"), "the queues", "queues.list_queues", json=True),
    Verb(("queue", "show"), "one queue", "queues.show", ("QUEUE",), json=True),
    Verb(("queue", "edit"), "edit a queue's settings in $EDITOR", "queues.edit", ("QUEUE",)),
    Verb(("queue", "update"), "change a queue's settings", "queues.update", ("QUEUE",),
         _QUEUE_FLAGS, json=True),
    Verb(("queue", "pause"), "start no more runs of a queue", "queues.pause", ("QUEUE...",)),
    Verb(("queue", "resume"), "start runs of a queue again", "queues.resume", ("QUEUE...",)),
    Verb(("queue", "delete"), "delete a queue that has no runs", "queues.delete", ("QUEUE...",)),
    Verb(("runs",), "the runs, newest first", "runs.list_runs", (),
         (_QUEUE,
          Flag(("-s", "--state"), "only runs in this state", "STATE", many=True, choices=STATES),
          Flag(("-j", "--job"), "only runs of this job", "JOB", completes="job"),
          Flag(("--group",), "only runs of this group of parameters", "GROUP"),
          Flag(("--filter",), "only runs that match an expression", "EXPR"),
          Flag(("--saved",), "only runs that match a saved filter", "NAME"),
          Flag(("-n", "--limit"), "how many at most (50)", "N", number=True)),
         json=True, more=_FILTER_HELP),
    Verb(("filter", "list"), "the saved filters", "filters.list_filters", json=True),
    Verb(("filter", "save"), "give an expression of runs --filter a name", "filters.save",
         ("NAME", "EXPR")),
    Verb(("filter", "delete"), "forget saved filters", "filters.delete", ("NAME...",)),
    Verb(("show",), "one run", "runs.show", ("RUN",), json=True),
    Verb(("why",), "why a run is where it is", "runs.why", ("RUN",), json=True),
    Verb(("logs",), "the output of a run", "logs.logs", ("RUN",),
         (Flag(("-f", "--follow"), "go on until the run ends"),
          Flag(("--build",), "the build's log instead of the job's"),
          Flag(("--attempt",), "which attempt; the newest if left out", "N", number=True),
          Flag(("-n", "--tail"), "only the last N lines", "N", number=True))),
    Verb(("shell",), "a shell where a run runs", "shell.shell", ("RUN",)),
    Verb(("report",), "all that tells why a run went wrong, secrets masked, to hand on",
         "runs.report", ("RUN",),
         (Flag(("-o", "--output"), "write it to a file", "FILE", completes="file"),)),
    Verb(("events",), "what happened to a run", "runs.events", ("RUN",), json=True),
    Verb(("metrics",), "the metrics of a run", "metrics.metrics", ("RUN", "[KEY]..."), json=True),
    Verb(("files",), "the files of a run", "files.files", ("RUN",), json=True),
    Verb(("cp",), "copy a file of a run; '-' as DEST is stdout", "files.copy",
         ("RUN:PATH", "DEST")),
    Verb(("compare",), "what differs between runs", "compare.compare", ("RUN", "RUN..."),
         (Flag(("--all",), "also what is the same"),), json=True),
    Verb(("stop",), "end runs: interrupt, then terminate, then kill", "acting.stop", ("RUN...",),
         (Flag(("--now",), "kill at once"),), more=_GROUP_HELP),
    Verb(("cancel",), "stop runs that still wait", "acting.cancel", ("RUN...",), more=_GROUP_HELP),
    Verb(("rerun",), "enqueue a run again, with changes", "rerun.rerun",
         ("RUN", "[key=value]..."),
         (_QUEUE, *_RUN_FLAGS, *_RESOURCE_FLAGS, *_ORDER_FLAGS,
          Flag(("--failed",), "of a group, only the runs that ended badly"), *_AFTERWARDS),
         json=True, more=_GROUP_HELP),
    Verb(("edit",), "edit a run that waits in $EDITOR", "acting.edit", ("RUN",)),
    Verb(("hold",), "have queued runs passed over", "acting.hold", ("RUN...",), more=_GROUP_HELP),
    Verb(("release",), "let held runs be taken again", "acting.release", ("RUN...",),
         more=_GROUP_HELP),
    Verb(("priority",), "move runs that wait to another priority level", "acting.priority",
         ("RUN...", "LEVEL"), more=_GROUP_HELP),
    Verb(("front",), "move a run to the front of its queue", "acting.front", ("RUN",)),
    Verb(("tag",), "add tags; -T takes T away", "acting.tag", ("RUN", "TAG..."), dashes=True),
    Verb(("note",), "set the note of a run", "acting.note", ("RUN", "TEXT"), dashes=True),
    Verb(("sync",), "send runs that have ended to your W&B server", "sync.sync", ("[RUN]...",),
         (Flag(("--all",), "all that were never sent, or could not be"),
          Flag(("--again",), "also what was sent already"),
          Flag(("--no-wait",), "leave it to the agent")), json=True, more=_GROUP_HELP),
    Verb(("delete",), "forget runs that have ended, with their files", "acting.delete", ("RUN...",),
         more=_GROUP_HELP),
    Verb(("agent", "run"), "run an agent here (the same as --agent-only)", "agent.run", (),
         _AGENT_FLAGS, json=True),
    Verb(("agent", "status"), "what the agent does", "agent.status", json=True),
    Verb(("agent", "drain"), "claim nothing more, wait for what runs, leave", "agent.drain"),
    Verb(("agent", "resume"), "claim again, where it drains", "agent.resume"),
    Verb(("agent", "stop"), "leave at once; runs go on and are adopted later", "agent.stop"),
    Verb(("env", "list"), "the cached environments", "envs.list_environments", json=True),
    Verb(("env", "prune"), "remove environments that nothing uses", "envs.prune", (),
         (Flag(("--older-than",), "only if unused for so long (30d)", "AGE"),
          Flag(("--dry-run",), "say what would go and remove nothing")), json=True),
    Verb(("image", "list"), "the images that were built", "images.list_images", json=True),
    Verb(("image", "prune"), "remove images that nothing uses", "images.prune", (),
         (Flag(("--older-than",), "only if unused for so long (30d)", "AGE"),
          Flag(("--dry-run",), "say what would go and remove nothing")), json=True),
    Verb(("backup",), "write the data directory into one file, while all goes on",
         "backup.backup", ("FILE",),
         (Flag(("--force",), "replace the file if it is there"),
          Flag(("--exclude",), "leave out files of runs with such a name or path", "GLOB",
               many=True)),
         json=True, more=_BACKUP_HELP),
    Verb(("restore",), "bring a backup back into a new data directory", "backup.restore",
         ("FILE",),
         (Flag(("--replace",), "move aside the data directory that is there"),
          Flag(("--go-on",), "let queues in which runs wait go on, instead of pausing them")),
         json=True, more=_RESTORE_HELP),
    Verb(("prune",), "forget old runs and remove what nothing needs", "prune.prune", (),
         (Flag(("--older-than",), "runs that ended, and caches unused, for so long (30d)", "AGE"),
          Flag(("--keep-failed",), "keep runs that ended badly"),
          Flag(("--dry-run",), "say what would go and remove nothing"),
          Flag(("--yes",), "do not ask, on a terminal")), json=True, more=_PRUNE_HELP),
    Verb(("demo",), "a real training job, three configurations", "demo.demo", (),
         (Flag(("--headless",), "without the UI"),)),
    Verb(("serve",), "show the screens in a browser on this machine, to look at", "serve.serve", (),
         (Flag(("--port",), "the port of loopback (8765); 0 for any", "N", number=True),)),
    Verb(("fsck",), "compare everything in the data directory, and repair it", "fsck.fsck", (),
         (Flag(("--repair",), "put right what is wrong, and name what is lost"),), json=True),
    Verb(("doctor",), "what was found on this machine", "doctor.doctor", json=True),
    Verb(("completion",), "print the completion script of a shell", "completion.completion",
         ("SHELL",)),
    Verb(("help",), "help for a verb", "help.help_for", ("[VERB]...",)),
    Verb(("__complete",), "", "completion.candidates", ("KIND",)),
)  # fmt: skip

BY_WORDS: dict[tuple[str, ...], Verb] = {verb.words: verb for verb in VERBS}


def offered() -> list[Verb]:
    """Return the verbs that a person is told of: those of the program's own are left out."""
    return [verb for verb in VERBS if not verb.words[0].startswith("__")]


def below(words: tuple[str, ...]) -> list[str]:
    """Return the words that may follow ``words`` in a verb's name, in the table's order."""
    depth = len(words)
    found = [v.words[depth] for v in VERBS if v.words[:depth] == words and len(v.words) > depth]
    return [word for word in dict.fromkeys(found) if not word.startswith("__")]
