/**
 * The editor: CodeMirror with ClickHouse's words, completion of what can be read, and a mark where something is wrong.
 *
 *   open(host) ──▶ shadow root ──▶ EditorView ──▶ text · selection · insert · mark
 *
 * It lives in a shadow root because there CodeMirror adopts its styles as
 * constructed style sheets: the page's policy needs no exception for styles.
 *
 * @module
 */
import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { sql } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorState, StateEffect, StateField } from "@codemirror/state";
import {
  Decoration,
  type DecorationSet,
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
  placeholder,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Span } from "./place.ts";
import { CLICKHOUSE, namespaceOf } from "./sql_dialect.ts";
import type { SchemaDatabase } from "./sql_schema.ts";

const setMark = StateEffect.define<Span | undefined>();
const WRONG = Decoration.mark({ class: "cm-wrong" });

/** Where something is wrong, until the text there is changed. */
const markField = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (marks, transaction) => {
    for (const effect of transaction.effects) {
      if (!effect.is(setMark)) continue;
      return effect.value === undefined
        ? Decoration.none
        : Decoration.set(WRONG.range(effect.value.from, effect.value.to));
    }
    return transaction.docChanged ? Decoration.none : marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

const HIGHLIGHT = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--syntax-keyword)", fontWeight: "600" },
  { tag: [tags.typeName, tags.standard(tags.name)], color: "var(--syntax-name)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--syntax-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--syntax-number)" },
  { tag: tags.comment, color: "var(--soft)", fontStyle: "italic" },
]);

const MONO = 'ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace';

const THEME = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--card)", fontSize: "14px" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px" },
  ".cm-scroller": { fontFamily: MONO, lineHeight: "1.55", minHeight: "8.5rem", maxHeight: "38vh" },
  ".cm-content": { caretColor: "var(--ink)", padding: "0.6rem 0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--soft)", border: "none" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--accent) 6%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 26%, transparent)",
  },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "color-mix(in srgb, var(--good) 30%, transparent)" },
  ".cm-placeholder": { color: "var(--soft)" },
  ".cm-wrong": {
    textDecoration: "underline wavy var(--bad) 1.5px",
    textUnderlineOffset: "4px",
    backgroundColor: "color-mix(in srgb, var(--bad) 16%, transparent)",
  },
  ".cm-tooltip": { backgroundColor: "var(--card)", border: "1px solid var(--edge)", borderRadius: "8px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: MONO, maxHeight: "16em" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": {
    backgroundColor: "var(--accent)",
    color: "var(--card)",
  },
  ".cm-completionDetail": { color: "inherit", opacity: "0.7", fontStyle: "normal" },
});

/** Writes over a selection by itself: the browser would keep the old colours in a style attribute, which the policy refuses. */
const OVERWRITE = EditorView.domEventHandlers({
  beforeinput: (event, view) => {
    const { data, inputType, isComposing } = event;
    const { from, to, empty } = view.state.selection.main;
    if (inputType !== "insertText" || data === null || isComposing || empty) return false;
    const written = () => view.state.update(view.state.replaceSelection(data), { userEvent: "input.type" });
    const isTaken = view.state.facet(EditorView.inputHandler).some((take) => take(view, from, to, data, written));
    if (!isTaken) view.dispatch(written());
    return true;
  },
});

/** What the editor begins with, and whom it tells. */
export interface EditorOptions {
  readonly text: string;
  readonly onRun: () => void;
  readonly onChange: (text: string) => void;
}

/** What the page asks of the editor. */
export interface SqlEditor {
  readonly text: () => string;
  readonly replace: (text: string) => void;
  /** The selection, else everything; `from` is where it begins. */
  readonly chosen: () => { readonly text: string; readonly from: number };
  /** Puts a text where the cursor is. */
  readonly insert: (text: string) => void;
  /** Marks a part of the text and shows it; undefined takes the mark away. */
  readonly mark: (span: Span | undefined) => void;
  readonly complete: (databases: readonly SchemaDatabase[]) => void;
  readonly close: () => void;
}

/** Opens an editor in an element. */
export function openEditor(host: HTMLElement, options: EditorOptions): SqlEditor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const language = new Compartment();
  const state = EditorState.create({
    doc: options.text,
    extensions: [language.of(languageFor([])), extensionsFor(options)],
  });
  const view = new EditorView({ state, parent: root, root });
  const replace = (text: string) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
  return {
    text: () => view.state.doc.toString(),
    replace,
    chosen: () => {
      const { from, to, empty } = view.state.selection.main;
      return empty ? { text: view.state.doc.toString(), from: 0 } : { text: view.state.sliceDoc(from, to), from };
    },
    insert: (text) => {
      view.dispatch(view.state.replaceSelection(text));
      view.focus();
    },
    mark: (span) => {
      const scroll = span === undefined ? [] : [EditorView.scrollIntoView(span.from)];
      view.dispatch({ effects: [setMark.of(span), ...scroll] });
    },
    complete: (databases) => view.dispatch({ effects: language.reconfigure(languageFor(databases)) }),
    close: () => view.destroy(),
  };
}

function languageFor(databases: readonly SchemaDatabase[]) {
  return sql({ dialect: CLICKHOUSE, schema: namespaceOf(databases), upperCaseKeywords: true });
}

function extensionsFor({ onRun, onChange }: EditorOptions) {
  const run = () => {
    onRun();
    return true;
  };
  return [
    // Before the others: Ctrl+Enter would open a line. Tab leaves the editor unless it completes.
    keymap.of([
      { key: "Mod-Enter", run, preventDefault: true },
      { key: "Tab", run: acceptCompletion },
    ]),
    keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
    [lineNumbers(), history(), drawSelection(), highlightActiveLine(), bracketMatching(), closeBrackets()],
    [indentOnInput(), autocompletion({ icons: false }), syntaxHighlighting(HIGHLIGHT), markField, OVERWRITE, THEME],
    placeholder("SELECT … — Ctrl+Enter or ⌘Enter runs it"),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({ "aria-label": "SQL" }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) onChange(update.state.doc.toString());
    }),
  ];
}
