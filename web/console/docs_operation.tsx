/**
 * One operation: what it is, fields for its parameters, the same as a line for a shell, and what the door answers.
 *
 * @module
 */
import { useState } from "react";
import { CopyButton } from "./copy_button.tsx";
import {
  type ApiDocument,
  answerIn,
  curlOf,
  firstValues,
  type Operation,
  type Parameter,
  requestOf,
  textOf,
  type Values,
} from "./docs_document.ts";
import { Prose } from "./docs_prose.tsx";
import { SchemaFields, typeText } from "./docs_schema.tsx";
import { type Sent, SHOWN_CHARS_MAX, useSend } from "./docs_send.ts";

interface Props {
  readonly document: ApiDocument;
  readonly operation: Operation;
  readonly token: string;
}

/** The operation; its key must be its id, so that fields begin anew. */
export function OperationCard({ document, operation, token }: Props) {
  const [values, setValues] = useState<Values>(() => firstValues(operation));
  const { sent, send, stop } = useSend(token);
  const request = requestOf(operation, values);
  const isLive = operation.responses[200]?.content?.["text/event-stream"] !== undefined;
  const isOpen = operation.security?.length === 0;
  const curl = curlOf(request, { origin: location.origin, isLive, isOpen });
  const setParameter = (name: string, value: string) =>
    setValues({ ...values, parameters: { ...values.parameters, [name]: value } });
  const isBusy = sent?.kind === "sending" || sent?.kind === "streaming";
  return (
    <>
      <section className="card operation" aria-label={operation.operationId}>
        <h2>
          <Method name={operation.method} /> <code>{operation.path}</code>
        </h2>
        <p>
          <Prose text={operation.summary} />
        </p>
        {operation.description !== undefined && (
          <p className="about">
            <Prose text={operation.description} />
          </p>
        )}
        {(operation.parameters ?? []).map((parameter) => (
          <Field
            key={parameter.name}
            {...{ document, parameter }}
            value={values.parameters[parameter.name] ?? ""}
            set={(value) => setParameter(parameter.name, value)}
          />
        ))}
        {operation.requestBody !== undefined && <Body {...{ document, operation, values, setValues }} />}
        <div className="curl">
          <pre>{curl}</pre>
          <CopyButton text={() => curl} name="Copy" />
        </div>
        <div className="tools">
          <button type="button" onClick={() => send(request)}>
            Send
          </button>
          {isBusy && (
            <button type="button" className="stop" onClick={stop}>
              Stop
            </button>
          )}
          {operation.method !== "GET" && !operation.path.startsWith("/v1/sql") && (
            <span className="about">It is really sent: what it changes is changed.</span>
          )}
        </div>
        {sent !== undefined && <AnswerBox sent={sent} />}
      </section>
      <Answers document={document} operation={operation} />
    </>
  );
}

/** A method's name in its colour. */
export function Method({ name }: { name: string }) {
  return (
    <span className="method" data-method={name}>
      {name}
    </span>
  );
}

function Field(props: { document: ApiDocument; parameter: Parameter; value: string; set: (value: string) => void }) {
  const { document, parameter, value, set } = props;
  const { name, in: place, description, required = false, schema } = parameter;
  const id = `param-${name}`;
  return (
    <div className="field">
      <label htmlFor={id}>
        <code>{name}</code> <small>{[place, required ? "required" : "optional"].join(" · ")}</small>
      </label>
      {schema.enum === undefined ? (
        <input
          id={id}
          value={value}
          placeholder={schema.default === undefined ? "" : textOf(schema.default)}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => set(event.target.value)}
        />
      ) : (
        <select id={id} value={value} onChange={(event) => set(event.target.value)}>
          <option value="">{schema.default === undefined ? "—" : textOf(schema.default)}</option>
          {schema.enum.map((one) => (
            <option key={textOf(one)}>{textOf(one)}</option>
          ))}
        </select>
      )}
      <p className="about">
        <Prose text={[typeText(document, schema), ...(description ? [description] : [])].join(". ")} />
      </p>
    </div>
  );
}

interface BodyProps {
  readonly document: ApiDocument;
  readonly operation: Operation;
  readonly values: Values;
  readonly setValues: (values: Values) => void;
}

function Body({ document, operation, values, setValues }: BodyProps) {
  const content = operation.requestBody!.content;
  const take = (type: string) => {
    const { example } = content[type]!;
    setValues({ ...values, type, body: example === undefined ? "" : textOf(example, 2) });
  };
  const rows = Math.min(16, Math.max(3, values.body.split("\n").length));
  return (
    <div className="field">
      <label htmlFor="body">
        Body <small>{Object.keys(content).length === 1 && values.type}</small>
      </label>
      {Object.keys(content).length > 1 && (
        <select aria-label="Type of the body" value={values.type} onChange={(event) => take(event.target.value)}>
          {Object.keys(content).map((type) => (
            <option key={type}>{type}</option>
          ))}
        </select>
      )}
      <textarea
        id="body"
        rows={rows}
        spellCheck={false}
        value={values.body}
        onChange={(event) => setValues({ ...values, body: event.target.value })}
      />
      <details>
        <summary>What it may hold</summary>
        <SchemaFields document={document} schema={content[values.type]!.schema} />
      </details>
    </div>
  );
}

function AnswerBox({ sent }: { sent: Sent }) {
  const { kind, status, type, body, isCut, events, elapsedMs } = sent;
  if (kind === "away") return <p className="problem">The door does not answer. Send it again when it is there.</p>;
  const said = [
    kind === "sending" && status === 0 ? "Sending …" : String(status),
    ...(status === 0 ? [] : [`${Math.round(elapsedMs)} ms`, type.split(";", 1)[0]!]),
    ...(events === 0 ? [] : [`${events.toLocaleString("en")} ${events === 1 ? "event" : "events"}, the newest:`]),
    ...(isCut ? [`the first ${SHOWN_CHARS_MAX.toLocaleString("en")} characters`] : []),
  ];
  return (
    <div className="answer" data-ok={status > 0 && status < 400}>
      <p role="status">{said.join(" · ")}</p>
      {body !== "" && <pre>{pretty(body)}</pre>}
    </div>
  );
}

/** JSON over several lines; anything else, and what is cut, as it came. */
function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    // It is no JSON, or only its beginning.
    return body;
  }
}

function Answers({ document, operation }: { document: ApiDocument; operation: Operation }) {
  return (
    <section className="card answers" aria-label="Answers">
      <h2>Answers</h2>
      {Object.entries(operation.responses).map(([status, named]) => {
        const { description = "", content = {} } = answerIn(document, named);
        const [type, body] = Object.entries(content)[0] ?? [];
        return (
          <details key={status} open={status === "200" || status === "201"}>
            <summary>
              <strong data-ok={status < "400"}>{status}</strong> <Prose text={description} />
            </summary>
            {body !== undefined && (
              <>
                <p className="about">{type}</p>
                <SchemaFields document={document} schema={body.schema} />
              </>
            )}
          </details>
        );
      })}
    </section>
  );
}
