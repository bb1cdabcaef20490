"""Why is it wrong, and is it right for the right reason? Explanations, shortcuts, skin tone, suspect labels."""
