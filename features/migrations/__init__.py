"""The steps that bring the service's database to the tables of this code, one file a step.

A step is an Alembic revision whose `upgrade` takes the operations as an argument: Alembic's own
`op` is one for the whole process, and MLflow uses it for its own store in the same one. A step
says its columns itself and takes none from the code, for the code goes on and the step stays.
`features.store_migrate` runs them.
"""
