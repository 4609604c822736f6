import { expect, test } from 'vitest';
import type { SourceFile } from '#proto/drydock/v1/execution.ts';
import { findMainClass } from './main-class.ts';

const MAIN = 'public static void main(String[] a) { if (true) { f("}"); } }';
const java = { mainClass: 'java', extensions: ['.java'], sourceFile: 'Main.java' } as const;
const scala = { mainClass: 'scala', extensions: ['.scala'], sourceFile: 'Main.scala' } as const;

function find(language: typeof java | typeof scala, sources: Record<string, string>, wanted = '') {
  const files = Object.entries(sources).map(
    ([name, value]): SourceFile => ({ name, content: { $case: 'text', value } }),
  );
  const violations: string[] = [];
  const found = findMainClass(language, { files, entrypoint: wanted || files[0]!.name }, wanted, (words) =>
    violations.push(words),
  );
  return {
    names: found.files.map(({ name }) => name),
    entrypoint: found.entrypoint,
    mainClass: found.mainClass,
    violations,
  };
}

test.each([
  ['a class of another name', `class Solution { ${MAIN} }`, 'Main.java', 'Solution'],
  ['a public one', `import java.util.*; public final class TwoSum { ${MAIN} }`, 'TwoSum.java', 'TwoSum'],
  [
    'one in a package',
    `/* class No { */ package com.acme; public class Main { ${MAIN} }`,
    'Main.java',
    'com.acme.Main',
  ],
  ['one after others', `class A { class B { void x() {} } } record P(int x) { } class Z { ${MAIN} }`, 'Main.java', 'Z'],
  ['one within another', `class A { static class B { ${MAIN} } }`, 'Main.java', 'A$B'],
  ['the one named like the file', `class A { ${MAIN} } class Main { ${MAIN} }`, 'Main.java', 'Main'],
  ['the public one', `class A { ${MAIN} } public class C { ${MAIN} }`, 'C.java', 'C'],
  [
    'words in a text and an annotation',
    `@X({"class A {"}) class B { String s = """class C { """; ${MAIN} }`,
    'Main.java',
    'B',
  ],
  ['none', 'class A extends Base { }', 'Main.java', 'Main'],
  ['no Java at all', '}}}} {{ " \' /*', 'Main.java', 'Main'],
])('Java: %s', (_, source, name, mainClass) => {
  expect(find(java, { 'Main.java': source })).toMatchObject({ names: [name], entrypoint: name, mainClass });
});

test('of several files the wanted one is run, else the one of the usual name, else the one with a main method', () => {
  const util = 'package a.b; class Util { }';
  const app = `package a.b; public class App { ${MAIN} }`;
  expect(find(java, { 'a/b/Util.java': util, 'a/b/App.java': app }).mainClass).toBe('a.b.App');
  const two = { 'x.java': `class X { ${MAIN} }`, 'y.java': `class Y { ${MAIN} }` };
  expect(find(java, two, 'y.java').mainClass).toBe('Y');
  expect(find(java, { ...two, 'Main.java': 'class M { }' })).toMatchObject({ mainClass: 'Main', violations: [] });
  expect(find(java, two).violations).toEqual(['set it to one of the files with a main method: x.java, y.java']);
});

test('a file is not given a name that another one has', () => {
  const found = find(java, { 'Main.java': `public class A { ${MAIN} }`, 'A.java': 'class B { }' }, 'Main.java');
  expect(found.names).toEqual(['Main.java', 'A.java']);
});

test.each([
  ['an App', 'object Solution extends App { println(1) }', 'Solution'],
  ['a main method', 'package a.b\nclass X { }\nobject Y { def main(args: Array[String]): Unit = println(1) }', 'a.b.Y'],
  ['an indented object', 'package a\nobject Y:\n  def main(args: Array[String]): Unit =\n    println(1)', 'a.Y'],
  ['an indented App', 'object Z extends App:\n  println(1)\nclass X', 'Z'],
  [
    'an annotated function',
    'package a\nclass X(val y: Int)\n@main def run(words: String*): Unit =\n  println(1)',
    'a.run',
  ],
  ['a trait and an App', 'object Z extends Base with App { val x = Map(1 -> 2) }', 'Z'],
])('Scala: %s', (_, source, mainClass) => {
  expect(find(scala, { 'Main.scala': source })).toMatchObject({ names: ['Main.scala'], mainClass });
});

test.each([
  ['a name in other letters', 'java', `public class Größe { ${MAIN} }`, 'Größe'],
  ['marks in characters', 'java', `class A { char a = '{', b = '\\'', c = '\\u0022', d = '"'; ${MAIN} }`, 'A'],
  ['a text block with quotes', 'java', `class A { String s = """ \\""" class B { """; ${MAIN} }`, 'A'],
  ['a comment without an end', 'java', `class A { ${MAIN} } /* class Main { ${MAIN} }`, 'A'],
  ['a name that no file can have', 'java', `class ${'A'.repeat(241)} { ${MAIN} } class B { ${MAIN} }`, 'B'],
  ['types deeper than 64', 'java', `${'class A {'.repeat(65)} ${MAIN} ${'}'.repeat(65)} class B { ${MAIN} }`, 'B'],
  ['an App after other types', 'scala', 'case class P(x: Int)\nobject Q extends scala.App { println(1) }', 'Q'],
] as const)('%s', (_, kind, source, mainClass) => {
  const language = kind === 'java' ? java : scala;
  expect(find(language, { [language.sourceFile]: source })).toMatchObject({ mainClass });
});
