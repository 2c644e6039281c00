"""What travels, by subject. Added fields have defaults; a changed meaning is a new name."""
