import { Fragment, memo, useMemo, useRef, useState } from "react";
import type { ReactNode } from "react";
import { minute } from "../store/minute";
import { nameOf, useWorkspace } from "../store/context";
import { navigate, routeOfLink } from "../store/route";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import { CodeBlock } from "./CodeBlock";
import { dateText } from "./date";
import { emojiChar, emojiTable } from "./emoji";
import { onlyEmoji, parseMrkdwn } from "./mrkdwn";
import type { Block, Inline } from "./mrkdwn";
import { fullTime } from "./time";
import { PersonCard } from "../views/PersonCard";

/** A message's text. Everything goes through React as text: nothing in it can become markup. */
export const Mrkdwn = memo(function Mrkdwn({ text, after }: { text: string; after?: ReactNode }) {
  const blocks = useMemo(() => parseMrkdwn(text), [text]);
  return <Tree blocks={blocks} after={after} />;
});

/** A text as a tree, whatever it was written in. `after` follows its last word. */
export function Tree({ blocks, after, className = "text" }: { blocks: readonly Block[]; after?: ReactNode; className?: string }) {
  return (
    <div className={onlyEmoji(blocks) ? `${className} large-emoji` : className}>
      {blocks.map((block, i) => (
        <BlockView key={i} block={block} after={i === blocks.length - 1 ? after : undefined} />
      ))}
      {blocks.length === 0 && after}
    </div>
  );
}

function BlockView({ block, after }: { block: Block; after: ReactNode }) {
  switch (block.type) {
    case "pre":
      return (
        <>
          <CodeBlock text={block.text} language={block.language} />
          {after}
        </>
      );
    case "list":
      return (
        <>
          <ListView block={block} />
          {after}
        </>
      );
    case "table":
      return (
        <>
          <TableView head={block.head} align={block.align} rows={block.rows.map((row) => row.map(inlines))} />
          {after}
        </>
      );
    case "rule":
      return (
        <>
          <hr />
          {after}
        </>
      );
    case "heading":
      // No heading: a feed has articles only, and an app's text must not change the page's outline.
      return (
        <p dir="auto" className={`text-heading level-${Math.min(3, block.level)}`}>
          {inlines(block.children)}
          {after}
        </p>
      );
    default: {
      const Tag = block.type === "quote" ? "blockquote" : "p";
      return (
        <Tag dir="auto">
          {inlines(block.children)}
          {after}
        </Tag>
      );
    }
  }
}

/** What stands before the items of lists in lists. */
const BULLETS = ["disc", "circle", "square"];
const NUMBERS = ["decimal", "lower-alpha", "lower-roman"];

function ListView({ block }: { block: Extract<Block, { type: "list" }> }) {
  const items = block.items.map((item, i) => (
    <li key={i} dir="auto">
      {inlines(item)}
    </li>
  ));
  const style = { "--indent": block.indent, listStyleType: (block.ordered ? NUMBERS : BULLETS)[block.indent % 3] } as React.CSSProperties;
  return block.ordered ? (
    <ol className="text-list" style={style} start={block.offset + 1}>
      {items}
    </ol>
  ) : (
    <ul className="text-list" style={style}>
      {items}
    </ul>
  );
}

/** A table that scrolls sideways by itself when it is wider than the message. */
export function TableView({ rows, align, head }: { rows: readonly (readonly ReactNode[])[]; align: readonly ("left" | "center" | "right")[]; head: boolean }) {
  const row = (cells: readonly ReactNode[], Cell: "th" | "td", key: number) => (
    <tr key={key}>
      {cells.map((cell, i) => (
        <Cell key={i} className={`align-${align[i] ?? "left"}`} {...(Cell === "th" ? { scope: "col" } : {})}>
          {cell}
        </Cell>
      ))}
    </tr>
  );
  const body = head ? rows.slice(1) : rows;
  return (
    // Scrolled by keyboard, too.
    <div className="table-box" role="region" aria-label={t.content.table} tabIndex={0}>
      <table>
        {head && rows[0] !== undefined && <thead>{row(rows[0], "th", -1)}</thead>}
        <tbody>{body.map((cells, i) => row(cells, "td", i))}</tbody>
      </table>
    </div>
  );
}

/** The pieces of a line. */
export function inlines(nodes: readonly Inline[]): ReactNode {
  return nodes.map((node, i) => <Fragment key={i}>{inline(node)}</Fragment>);
}

function inline(node: Inline): ReactNode {
  switch (node.type) {
    case "text":
      return node.text;
    case "bold":
      return <strong>{inlines(node.children)}</strong>;
    case "italic":
      return <em>{inlines(node.children)}</em>;
    case "strike":
      return <s>{inlines(node.children)}</s>;
    case "underline":
      return <u>{inlines(node.children)}</u>;
    case "highlight":
      return <mark>{inlines(node.children)}</mark>;
    case "code":
      return <code>{node.text}</code>;
    case "link":
      return <Link url={node.url}>{node.label}</Link>;
    case "user":
      return <UserMention id={node.id} label={node.label} />;
    case "channel":
      return <ChannelMention id={node.id} label={node.label} />;
    case "group":
      return <span className="mention">{node.label ?? `@${node.id}`}</span>;
    case "broadcast":
      return <span className="mention me">@{node.name}</span>;
    case "emoji":
      return <Emoji name={node.name} />;
    case "date":
      return <Moment node={node} />;
    case "color":
      return <Colour value={node.value} />;
    case "break":
      return <br />;
  }
}

/** An address elsewhere opens beside; one of this client is gone to. The title says where, whatever the label claims. */
export function Link({ url, children, className }: { url: string; children: ReactNode; className?: string }) {
  const inside = routeOfLink(url);
  return (
    <a
      className={className}
      href={url}
      title={url}
      target="_blank"
      rel="noopener noreferrer nofollow"
      onClick={(event) => {
        if (inside === undefined || event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        navigate(inside);
      }}
    >
      {children}
    </a>
  );
}

function Moment({ node }: { node: Extract<Inline, { type: "date" }> }) {
  const now = useSignal(minute);
  const text = dateText(node.seconds, node.format, node.fallback, now);
  const ms = node.seconds * 1000;
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) return text;
  const time = (
    <time dateTime={new Date(ms).toISOString()} title={fullTime(ms)}>
      {text}
    </time>
  );
  return node.url === undefined ? time : <Link url={node.url}>{time}</Link>;
}

function Colour({ value }: { value: string }) {
  if (!/^#[0-9a-f]{3,8}$/i.test(value)) return value;
  return (
    <>
      <span className="colour-chip" style={{ background: value }} aria-hidden="true" />
      {value}
    </>
  );
}

function UserMention({ id, label }: { id: string; label: string | undefined }) {
  const user = useWorkspace((state) => state.users[id]);
  const me = useWorkspace((state) => state.self?.id === id);
  const [open, setOpen] = useState(false);
  const ref = useRef<HTMLButtonElement>(null);
  const className = me ? "mention me" : "mention";
  if (user === undefined) return <span className={className}>@{label ?? nameOf(user)}</span>;
  return (
    <>
      <button ref={ref} type="button" className={className} aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(!open)}>
        @{nameOf(user)}
      </button>
      {open && <PersonCard user={user} anchor={ref} onClose={() => setOpen(false)} />}
    </>
  );
}

function ChannelMention({ id, label }: { id: string; label: string | undefined }) {
  const channel = useWorkspace((state) => state.conversations[id]?.channel);
  const name = channel?.name ?? label ?? t.unknownChannel;
  if (channel === undefined && label === undefined) return <span className="mention">#{name}</span>;
  return (
    <a
      className="mention"
      href={`/c/${id}`}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey) return;
        event.preventDefault();
        navigate({ name: "channel", channel: id });
      }}
    >
      #{name}
    </a>
  );
}

/** An emoji by its short name; the name itself when there is none. */
export function Emoji({ name }: { name: string }) {
  const char = emojiChar(useSignal(emojiTable), name);
  if (char === undefined) return <>{`:${name}:`}</>;
  return (
    <span className="emoji" role="img" aria-label={name.replaceAll("_", " ").replace("::", " ")} title={`:${name}:`}>
      {char}
    </span>
  );
}
