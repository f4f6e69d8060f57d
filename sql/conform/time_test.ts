import { describe, expect, test } from "bun:test";
import { readType } from "./column_type.ts";
import { type DateType, dateReader, type TimeType, timeReader } from "./time.ts";

const at = (text: string) => ({ ms: Date.parse(text) });

describe("timeReader()", () => {
  test.each([
    ["DateTime64(3, 'UTC')", "2024-02-29T12:30:45.123Z", at("2024-02-29T12:30:45.123Z")],
    ["DateTime64(3, 'UTC')", "2024-02-29 12:30:45.1230000", at("2024-02-29T12:30:45.123Z")],
    ["DateTime64(3, 'UTC')", "2024-02-29T12:30:45+05:30", at("2024-02-29T07:00:45Z")],
    ["DateTime64(6, 'UTC')", "2024-02-29T12:30:45.123999Z", at("2024-02-29T12:30:45.123Z")],
    ["DateTime64(3, 'UTC')", "1900-01-01T00:00:00Z", at("1900-01-01T00:00:00Z")],
    ["DateTime", "2024-02-29T12:30:45.000Z", at("2024-02-29T12:30:45Z")],
    ["DateTime('Europe/Berlin')", "2024-07-01 12:00:00", at("2024-07-01T10:00:00Z")],
    ["DateTime('Europe/Berlin')", "2024-10-27T02:30:00+02:00", at("2024-10-27T00:30:00Z")],
    ["DateTime('Australia/Lord_Howe')", "2024-10-06 02:30:00", at("2024-10-05T15:30:00Z")],
  ])("%s reads %s", (type, text, expected) => {
    expect(timeReader(readType(type) as TimeType)(text)).toEqual(expected);
  });

  test.each([
    ["DateTime64(3, 'UTC')", "2024-02-29T12:30:45.1234Z", "more digits of a second"],
    ["DateTime", "2024-02-29T12:30:45.5Z", "more digits of a second"],
    ["DateTime", "2106-02-07T06:28:16Z", "out of range"],
    ["DateTime", "1969-12-31T23:59:59Z", "out of range"],
    ["DateTime", "1970-01-01T00:00:00+01:00", "out of range"],
    ["DateTime64(3, 'UTC')", "1850-01-01T00:00:00Z", "out of range"],
    ["DateTime64(3, 'UTC')", "2299-12-31T23:59:59-01:00", "out of range"],
    ["DateTime64(9, 'UTC')", "2262-01-01T00:00:00Z", "out of range"],
    ["DateTime64(3, 'UTC')", "2023-02-29T00:00:00Z", "is not a time"],
    ["DateTime64(3, 'UTC')", "2024-01-01T24:00:00Z", "is not a time"],
    ["DateTime64(3, 'UTC')", "2024-01-01T23:59:60Z", "is not a time"],
    ["DateTime64(3, 'UTC')", "2024-01-01", "is not a time"],
    ["DateTime64(3, 'UTC')", "2024-01-01T00:00:00Z ", "is not a time"],
    ["DateTime64(3, 'UTC')", "2024-01-01T00:00:00Z\n", "is not a time"],
    ["DateTime('Europe/Berlin')", "2024-03-31 02:30:00", "daylight saving skips it"],
    ["DateTime('Europe/Berlin')", "2024-10-27 02:30:00", "happens twice"],
    ["DateTime64(0, 'Europe/Berlin')", "1950-01-01 00:00:00", "needs an offset"],
    ["DateTime('Australia/Lord_Howe')", "2024-10-06 02:15:00", "daylight saving skips it"],
  ])("%s refuses %s", (type, text, reason) => {
    expect(timeReader(readType(type) as TimeType)(text)).toEqual({ reason: expect.stringContaining(reason) });
  });
});

describe("dateReader()", () => {
  test.each([
    ["Date", "1970-01-01", true],
    ["Date", "2149-06-06", true],
    ["Date", "2149-06-07", false],
    ["Date", "1969-12-31", false],
    ["Date32", "1900-01-01", true],
    ["Date32", "2299-12-31", true],
    ["Date32", "2300-01-01", false],
    ["Date32", "2000-02-29", true],
    ["Date32", "2100-02-29", false],
    ["Date32", "2024-04-31", false],
  ])("%s, %s: %p", (type, text, isOk) => {
    expect("ms" in dateReader(readType(type) as DateType)(text)).toBe(isOk);
  });
});
