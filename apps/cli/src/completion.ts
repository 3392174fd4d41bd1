import type { Command } from 'commander'

/** `muster completion`, and the hidden command that its scripts call. It knows only the commands that the program has by now. */
export async function addCompletion(program: Command): Promise<void> {
  const { default: tab } = await import('@bomb.sh/tab/commander')
  tab(program, { completionCommandName: 'completion' })
  program.commands
    .find((command) => command.name() === 'completion')
    ?.description('print what completes commands and options in a shell')
    .addHelpText(
      'after',
      `
Examples:
  source <(muster completion bash)
  source <(muster completion zsh)
  muster completion fish > ~/.config/fish/completions/muster.fish`,
    )
}
