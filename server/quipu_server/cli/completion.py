"""`quipu completion`."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash  quipu completion bash > ~/.local/share/bash-completion/completions/quipu
    zsh   quipu completion zsh > a file `_quipu` in a directory of $fpath
    fish  quipu completion fish > ~/.config/fish/completions/quipu.fish
    """
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(context.find_root().command, {}, "quipu", "_QUIPU_COMPLETE").source())
