/**
 * How the command line shows help and what is wrong with it.
 *
 *   help, version ──▶ stdout      a mistake ──one line, with what may have been meant──▶ stderr
 *
 * @module
 */
import { Console } from "effect";
import { type CliError, CliOutput } from "effect/cli";

/** Help and mistakes, as they are printed. */
export const presenting = CliOutput.layerPresenter({
  present: (event) => {
    switch (event._tag) {
      case "Help":
        return Console.log(CliOutput.defaultFormatter().formatHelpDoc(event.helpDoc));
      case "InvalidInvocation":
        return Console.error(mistakeLine(event.errors[0]!, event.commandPath));
      case "Version":
        return Console.log(`${event.name} ${event.version}`);
    }
  },
});

/** One line that says what is wrong, what may have been meant, and where to read on. */
function mistakeLine(error: CliError.CliError, commandPath: readonly string[]): string {
  return `${mistake(error)} Run ${commandPath.join(" ")} --help.`;
}

function mistake(error: CliError.CliError): string {
  switch (error._tag) {
    case "UnrecognizedOption":
      return `Unknown option '${plain(error.option)}'.${meant(error.suggestions)}`;
    case "UnknownSubcommand":
      return `Cannot run '${plain(error.subcommand)}': there is no such command.${meant(error.suggestions)}`;
    case "MissingOption":
      return `Say --${error.option}.`;
    case "MissingArgument":
      return `Say which ${error.argument}.`;
    case "UnexpectedArgument":
      return `Cannot use '${plain(error.arguments.join(" "))}': the command takes no such argument.`;
    case "InvalidValue": {
      const name = error.kind === "flag" ? `--${error.option}` : error.option;
      if (error.value === "") return `Cannot use ${name}: it needs a value.`;
      const expected = error.expected
        .replace(/^Expected:? /, "")
        .replace(/\.$/, "")
        .replaceAll(" | ", " or ");
      return `Cannot use ${name} '${plain(error.value)}': it must be ${expected}.`;
    }
    default:
      return `${plain(error.message)}${/[.!?]$/.test(error.message) ? "" : "."}`;
  }
}

function meant(suggestions: readonly string[]): string {
  return suggestions.length === 0 ? "" : ` Did you mean ${suggestions.map((name) => `'${name}'`).join(" or ")}?`;
}

/** A text of somebody's on one line, without control characters. */
function plain(text: string): string {
  return text.replace(/\p{Control}+/gu, " ").slice(0, 200);
}
