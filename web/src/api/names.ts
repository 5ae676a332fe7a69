/** `Dr. Ada Lind`: a title stands before the name, as in the mails. */
export function fullName(person: { readonly name: string; readonly title?: string | null }): string {
  const { name, title } = person;
  return !title || name.startsWith(`${title} `) ? name : `${title} ${name}`;
}
