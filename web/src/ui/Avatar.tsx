export interface AvatarProps {
  readonly name: string;
  readonly src?: string | null;
  /** Edge in pixels, on the 4 px grid. */
  readonly size?: number;
}

/** First letters of the first and the last word, without titles such as "Dr.". */
export function initialsOf(name: string): string {
  const words = name.split(/\s+/).filter((word) => word !== "" && !word.endsWith("."));
  const first = words[0] ?? name.trim();
  const last = words.length > 1 ? (words[words.length - 1] ?? "") : "";
  const letter = (word: string) => [...word].find((char) => /\p{L}|\p{N}/u.test(char)) ?? "";
  return (letter(first) + letter(last)).toLocaleUpperCase();
}

/** Decorative: the name always stands beside it. */
export function Avatar({ name, src, size = 48 }: AvatarProps) {
  const style = { inlineSize: size, blockSize: size, fontSize: Math.round(size * 0.38) };
  return (
    <span className="p-avatar" style={style} aria-hidden>
      {src ? <img src={src} alt="" width={size} height={size} /> : initialsOf(name)}
    </span>
  );
}
