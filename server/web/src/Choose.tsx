/** One of a few words. */

interface ChooseProps extends Omit<React.ComponentProps<"select">, "onChange"> {
  /** What may be chosen, each with what is said of it. */
  options: readonly (readonly [value: string, said: string])[];
  onChoose: (value: string) => void;
}

export function Choose({ options, onChoose, ...more }: ChooseProps) {
  return (
    <select {...more} onChange={({ target }) => onChoose(target.value)}>
      {options.map(([value, said]) => (
        <option key={value} value={value}>
          {said}
        </option>
      ))}
    </select>
  );
}

/** Words that say themselves. */
export const asThemselves = (words: readonly string[]) => words.map((word) => [word, word] as const);
