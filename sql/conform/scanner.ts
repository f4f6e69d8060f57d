/**
 * The scanner: a fast "certainly yes" for the records that clients really send.
 *
 *   bytes ──scan()──▶ true: conforms, key found · false: ask the judge
 *
 * Generated per source and compiled by the JavaScript engine: one loop over the
 * fields, which expects the columns in the order of the previous record's kind
 * (clients keep their order), compares names byte by byte and remembers in bit
 * masks what it has seen. Only numbers that this file has made go into the text,
 * never a name as the author wrote it.
 *
 * @module
 */

import type { Source } from "../source.ts";
import type { ColumnType } from "./column_type.ts";
import { FUTURE_MS_MAX } from "./judge.ts";
import * as scan from "./scan.ts";
import { UTC_NAMES } from "./zones.ts";

/** Scans records of one source; not reentrant. */
export interface Scanner {
  /** True only if the object in bytes[start, end) certainly conforms. The bytes are valid UTF-8. */
  scan(bytes: Uint8Array, start: number, end: number, timestampMs: number): boolean;
  /** The key's bytes without quotes after `true`; -1: the record has no key. */
  keyStart: number;
  keyEnd: number;
}

/** Columns per bit mask: a number's bits that stay small integers. */
const MASK_BITS = 30;

type Scan = Scanner["scan"];

/** Compiles the scanner of a source. */
export function scannerOf(source: Source, types: readonly ColumnType[]): Scanner {
  const names = source.columns.map(({ name }) => new TextEncoder().encode(name));
  const scanner: Scanner = { scan: () => false, keyStart: -1, keyEnd: -1 };
  if (names.some((name) => name.some((byte) => byte < 32 || byte === 34 || byte === 92))) return scanner;
  const enums = types.map((type) =>
    type.kind === "enum" ? type.names.map((name) => new TextEncoder().encode(name)) : [],
  );
  const times = types.map((type) =>
    type.kind === "time" ? { scale: type.scale, isUtc: UTC_NAMES.has(type.zone) } : { scale: 0, isUtc: true },
  );
  const find = (b: Uint8Array, p: number) => findName(names, b, p);
  const text = scannerText(source, types, names);
  const compiled = new Function("scan", "scanner", "find", "enums", "times", "scanned", text);
  scanner.scan = compiled(scan, scanner, find, enums, times, { ms: 0 }) as Scan;
  return scanner;
}

/** The column whose name stands at p, with its closing quote, or -1. */
function findName(names: readonly Uint8Array[], b: Uint8Array, p: number): number {
  for (let column = 0; column < names.length; column++) {
    const name = names[column];
    let index = 0;
    while (index < name.length && b[p + index] === name[index]) index++;
    if (index === name.length && b[p + index] === 34) return column;
  }
  return -1;
}

function scannerText(source: Source, types: readonly ColumnType[], names: readonly Uint8Array[]): string {
  const masks = Array.from({ length: Math.ceil(names.length / MASK_BITS) }, (_, mask) => mask);
  const required = masks.map((mask) =>
    types.reduce((bits, type, column) => {
      const isHere = Math.floor(column / MASK_BITS) === mask && !type.nullable;
      return isHere ? bits | (1 << (column % MASK_BITS)) : bits;
    }, 0),
  );
  const expect = names.map((name, column) => {
    const bytes = [...name, 34].map((byte, index) => `b[p+${index + 1}]===${byte}`).join("&&");
    return `case ${column}:if(${bytes}){p+=${name.length + 2};break;}column=-1;break;`;
  });
  const values = types.map((type, column) => {
    const mask = `seen${Math.floor(column / MASK_BITS)}`;
    const bit = 1 << (column % MASK_BITS);
    return `case ${column}:{if((${mask}&${bit})!==0)return false;${mask}|=${bit};${valueText(source, type, column)}break;}`;
  });
  const unknown =
    source.unknown === "ignore"
      ? "p=scan.scanString(b,p);if(p<0)return false;"
      : "return false;"; /* an unknown field is the judge's to refuse or keep */
  const space = "if(b[p]<=32)p=scan.scanSpace(b,p);";
  return `"use strict";
const lengths=[${names.map(({ length }) => length).join(",")}];
return function(b,p,end,timestampMs){
let ${masks.map((mask) => `seen${mask}=0`).join(",")},keyStart=-1,keyEnd=-1,column=0,from=0,next=0;
const latestMs=timestampMs+${FUTURE_MS_MAX};
if(b[p]!==123)return false;
p++;
for(;;){
${space}if(b[p]!==34)return false;
column=next;
switch(next){${expect.join("\n")}
default:column=-1;}
if(column<0){column=find(b,p+1);if(column<0){${unknown}}else p+=lengths[column]+2;}
${space}if(b[p]!==58)return false;
p++;
${space}from=p;
switch(column){${values.join("\n")}
default:p=scan.scanScalar(b,p);}
if(p<0)return false;
${space}if(b[p]===44){p++;next=column+1;continue;}
if(b[p]!==125)return false;
p++;break;}
if(p<end)p=scan.scanSpace(b,p);
if(p!==end||${masks.map((mask) => `(seen${mask}&${required[mask]})!==${required[mask]}`).join("||")})return false;
scanner.keyStart=keyStart;scanner.keyEnd=keyEnd;
return true;}`;
}

/** The step over one column's value: from `p` to the byte after it, or to -1. */
function valueText(source: Source, type: ColumnType, column: number): string {
  const name = source.columns[column].name;
  const isKey = name === source.key;
  let text = `p=${callText(type, column, isKey)};`;
  if (name === source.eventTime) text += "if(scanned.ms>latestMs)return false;";
  if (isKey) {
    text += "if(p>0){if(b[from]===34){keyStart=from+1;keyEnd=p-1;}else{keyStart=from;keyEnd=p;}}";
  }
  return type.nullable ? `if(b[p]===110)p=scan.scanNull(b,p);else{${text}}` : text;
}

function callText(type: ColumnType, column: number, isKey: boolean): string {
  switch (type.kind) {
    case "string":
      return "scan.scanString(b,p)";
    case "int": {
      const limit = 10n ** 18n;
      const min = type.min < -limit ? -limit : type.min;
      const max = type.max > limit ? limit : type.max;
      return `scan.scanInteger(b,p,${min},${max})`;
    }
    case "float":
      return "scan.scanFloat(b,p)";
    case "decimal":
      return isKey ? "-1" : `scan.scanDecimal(b,p,${type.precision - type.scale},${type.scale})`;
    case "bool":
      return "scan.scanBool(b,p)";
    case "fixed":
      return `scan.scanFixed(b,p,${type.bytes})`;
    case "enum":
      return `scan.scanEnum(b,p,enums[${column}])`;
    case "uuid":
      return "scan.scanUuid(b,p)";
    case "ipv4":
      return "scan.scanIpv4(b,p)";
    case "date":
      return "scan.scanDate(b,p,scanned)";
    case "time":
      return `scan.scanTime(b,p,times[${column}],scanned)`;
    default:
      return "-1";
  }
}
