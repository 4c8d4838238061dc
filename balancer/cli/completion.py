"""`balancer completion`: the script that teaches a shell our verbs and options."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from balancer.cli import options

HOW: Final = {
    "bash": 'eval "$(balancer completion bash)"  # in ~/.bashrc',
    "zsh": 'eval "$(balancer completion zsh)"  # in ~/.zshrc',
    "fish": "balancer completion fish | source  # in ~/.config/fish/config.fish",
}


@click.command("completion", epilog="\b\n" + "\n".join(HOW.values()))
@click.argument("shell", type=click.Choice(list(HOW)))
@options.common
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    completion = get_completion_class(shell)
    assert completion is not None  # noqa: S101 - click knows these three
    root = ctx.find_root()
    click.echo(completion(root.command, {}, "balancer", "_BALANCER_COMPLETE").source())
