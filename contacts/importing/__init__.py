"""Contacts from files: whatever their encoding and delimiter, mapped, in runs that survive being killed."""
